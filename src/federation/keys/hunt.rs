//! Fetching keys: from their servers first, after a short head start from the notaries as well.

use std::{
    collections::{BTreeMap, HashMap},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use base::Millis;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use ruma::{OwnedServerName, OwnedServerSigningKeyId};
use tokio::sync::watch;

use super::{Document, Inner, KeyError, PublicKey, Question, ServerKeys, WAIT, Wanted, ask::PER_QUESTION};

/// Most documents that are read of one answer.
const MAX_DOCUMENTS: usize = 4 * PER_QUESTION;
/// For how long servers are asked before notaries are.
pub(super) const HEAD_START: Duration = Duration::from_millis(750);

/// The right to ask for the keys of one server; who waits for it learns when it is dropped.
struct Claim {
    inner: Arc<Inner>,
    server: OwnedServerName,
    _over: watch::Sender<()>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.inner.hunted.lock().remove(&self.server);
    }
}

impl ServerKeys {
    /// Fetches what is wanted, or waits for who does so already: until it is there, nobody is left to ask, or
    /// [`WAIT`] is over. Servers that were asked lately are left alone. With `anew` an answer of the server is
    /// needed, whatever is known.
    pub(super) async fn hunt(&self, wanted: Wanted, anew: bool) -> Result<(), KeyError> {
        let mut mine = HashMap::new();
        let mut waits = Vec::new();
        {
            let mut hunted = self.0.hunted.lock();
            for (server, keys) in wanted {
                if let Some(over) = hunted.get(&server) {
                    waits.push(over.clone());
                } else if !self.is_own(&server) && !self.0.pauses.has(&server) {
                    let (sender, over) = watch::channel(());
                    hunted.insert(server.clone(), over.clone());
                    waits.push(over);
                    let claim = Claim { inner: self.0.clone(), server: server.clone(), _over: sender };
                    mine.insert(server, Open { keys, claim, anew, answered: false });
                }
            }
        }
        if !mine.is_empty() {
            // In a task of its own: who asked may go away, who waits does not.
            tokio::spawn(Hunt { keys: self.clone(), open: mine }.run());
        }
        let over = futures::future::join_all(waits.iter_mut().map(|over| over.changed()));
        // What is there by then is there.
        let _ = tokio::time::timeout(WAIT, over).await;
        Ok(())
    }
}

/// A server whose keys are still wanted.
struct Open {
    keys: BTreeMap<OwnedServerSigningKeyId, Millis>,
    #[expect(dead_code, reason = "held until it is dropped")]
    claim: Claim,
    anew: bool,
    /// Whether the server itself has answered.
    answered: bool,
}

/// One fetch of keys of one or more servers.
struct Hunt {
    keys: ServerKeys,
    open: HashMap<OwnedServerName, Open>,
}

/// Who is done.
enum Came {
    /// A server that was asked for its own keys, and whether it gave them.
    Itself(OwnedServerName, bool),
    /// A notary.
    Notary,
}

type Coming = FuturesUnordered<BoxFuture<'static, Came>>;

impl Hunt {
    async fn run(mut self) {
        let coming: Coming = self.open.keys().cloned().map(|server| self.itself(server)).collect();
        if tokio::time::timeout(WAIT, self.gather(coming)).await.is_err() {
            tracing::debug!(servers = self.open.len(), "keys were not fetched in time");
        }
        for (server, _) in self.open.iter().filter(|(_, open)| !open.answered) {
            self.keys.0.pauses.failed(server);
        }
    }

    async fn gather(&mut self, mut coming: Coming) {
        let mut head_start = pin!(tokio::time::sleep(HEAD_START));
        let mut notaries_asked = false;
        while !self.open.is_empty() {
            if coming.is_empty() && notaries_asked {
                return;
            }
            tokio::select! {
                Some(came) = coming.next() => self.settle(came).await,
                () = &mut head_start, if !notaries_asked => {
                    notaries_asked = true;
                    self.ask_notaries(&coming);
                }
                // Everybody has answered before the head start was over.
                else => {}
            }
            if coming.is_empty() && !notaries_asked {
                notaries_asked = true;
                self.ask_notaries(&coming);
            }
        }
    }

    /// Strikes out what is there now.
    async fn settle(&mut self, came: Came) {
        let servers = match came {
            Came::Itself(server, answered) => {
                if answered {
                    self.keys.0.pauses.answered(&server);
                }
                if let Some(open) = self.open.get_mut(&server) {
                    open.answered |= answered;
                }
                vec![server]
            }
            Came::Notary => self.open.keys().cloned().collect(),
        };
        for server in servers {
            let Some(open) = self.open.get(&server) else { continue };
            if open.anew && !open.answered {
                continue;
            }
            let there = self.keys.rows(&server).await.is_ok_and(|rows| self.keys.satisfies(&rows, &open.keys));
            if there
                && let Some(open) = self.open.remove(&server)
                && !open.answered
            {
                // A notary helped: the server itself is not to be asked again at once.
                self.keys.0.pauses.failed(&server);
            }
        }
    }

    /// A question to the server whose keys are wanted.
    fn itself(&self, server: OwnedServerName) -> BoxFuture<'static, Came> {
        let inner = self.keys.0.clone();
        async move {
            let permit = inner.asked.acquire().await;
            let answered = permit.is_ok() && inner.ask_itself(&server).await;
            Came::Itself(server, answered)
        }
        .boxed()
    }

    /// Questions to all notaries about all that is still wanted.
    fn ask_notaries(&self, coming: &Coming) {
        let wanted: Vec<_> = self.open.iter().map(|(server, open)| (server.clone(), open.keys.clone())).collect();
        for notary in &self.keys.0.notaries {
            for part in wanted.chunks(PER_QUESTION) {
                let part: Wanted = part.iter().filter(|(server, _)| server != notary).cloned().collect();
                let (inner, notary) = (self.keys.0.clone(), notary.clone());
                if !part.is_empty() {
                    coming.push(async move { inner.ask_notary(notary, part).await }.map(|()| Came::Notary).boxed());
                }
            }
        }
    }
}

impl Inner {
    /// Asks a server for its own keys and keeps them; whether that worked.
    async fn ask_itself(&self, server: &OwnedServerName) -> bool {
        match self.documents_from(server, Question::Own).await.pop() {
            Some(document) if document.server == *server => self.keep(&document, true).await.is_ok(),
            _ => false,
        }
    }

    /// Asks a notary about the keys of others and keeps what it vouches for.
    async fn ask_notary(&self, notary: OwnedServerName, wanted: Wanted) {
        let Some(keys) = self.keys_of_notary(&notary).await else { return };
        for document in self.documents_from(&notary, Question::Others(wanted.clone())).await {
            let server = &document.server;
            if !wanted.contains_key(server) || !document.is_signed_by(&notary, &keys) {
                tracing::debug!(%notary, %server, "a notary answered what it was not asked, or did not sign");
            } else if let Err(error) = self.keep(&document, false).await {
                tracing::warn!(%error, %server, "keys were not stored");
            }
        }
    }

    /// The keys of a notary, which only itself can tell.
    async fn keys_of_notary(&self, notary: &OwnedServerName) -> Option<BTreeMap<OwnedServerSigningKeyId, PublicKey>> {
        for asked in [false, true] {
            if asked && !self.pauses.has(notary) {
                // Without waiting for those that hang, because of whom it is asked.
                if self.ask_itself(notary).await { self.pauses.answered(notary) } else { self.pauses.failed(notary) }
            }
            let (rows, now) = (self.rows(notary).await.ok()?, self.clock.now());
            let valid = rows.iter().filter(|(_, row)| row.direct && row.is_valid(now));
            let valid: BTreeMap<_, _> = valid.map(|(id, row)| (id.clone(), row.public)).collect();
            if !valid.is_empty() {
                return Some(valid);
            }
        }
        None
    }

    /// The good documents in an answer.
    async fn documents_from(&self, asked: &OwnedServerName, question: Question) -> Vec<Document> {
        let answer = match self.ask.ask(asked.clone(), question).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(%error, %asked, "keys were not fetched");
                return Vec::new();
            }
        };
        let mut documents = Vec::new();
        for json in answer.iter().take(MAX_DOCUMENTS) {
            match Document::read(json.as_bytes()) {
                Ok(document) => documents.push(document),
                Err(error) => tracing::debug!(%error, %asked, "a key document was refused"),
            }
        }
        documents
    }
}
