use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base::{Clock, Millis};
use event::Signer;
use kv::{Db, memory::Memory};
use parking_lot::Mutex;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedServerName, OwnedServerSigningKeyId};
use serde_json::json;

use crate::keys::{Ask, AskError, OldKey, OwnKeys, Question, ServerKeys};

pub(super) const NOW: Millis = 1_700_000_000_000;
pub(super) const HOUR: Millis = 60 * 60 * 1000;
pub(super) const DAY: Millis = 24 * HOUR;

pub(super) fn name(server: &str) -> OwnedServerName {
    server.try_into().unwrap()
}

pub(super) fn key_id(version: &str) -> OwnedServerSigningKeyId {
    format!("ed25519:{version}").try_into().unwrap()
}

pub(super) fn signer(server: &str, version: &str, seed: u8) -> Signer {
    Signer::new(name(server), key_id(version), &[seed; 32])
}

/// A document as `signer`'s server signs it.
pub(super) fn document(signer: &Signer, old: &[(&Signer, Millis)], valid_until: Millis) -> CanonicalJsonObject {
    let old: serde_json::Map<_, _> = old
        .iter()
        .map(|(old, end)| (old.key_id().to_string(), json!({ "key": old.public_key_base64(), "expired_ts": end })))
        .collect();
    let document = json!({
        "server_name": signer.server_name(),
        "valid_until_ts": valid_until,
        "verify_keys": { signer.key_id().as_str(): { "key": signer.public_key_base64() } },
        "old_verify_keys": old,
    });
    let CanonicalJsonValue::Object(mut document) = document.try_into().unwrap() else { panic!() };
    signer.sign_json(&mut document).unwrap();
    document
}

pub(super) fn text(document: &CanonicalJsonObject) -> String {
    serde_json::to_string(document).unwrap()
}

/// How a server behaves.
#[derive(Debug, Clone)]
pub(super) enum Behaves {
    /// Answers at once.
    Answers(Vec<String>),
    /// Refuses at once.
    Refuses,
    /// Never answers.
    Hangs,
}

/// All servers but us.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    servers: Arc<Mutex<HashMap<OwnedServerName, Behaves>>>,
    asked: Arc<AtomicUsize>,
    log: Arc<Mutex<Vec<(OwnedServerName, Question)>>>,
}

impl World {
    pub(super) fn is(&self, server: &str, behaves: Behaves) {
        self.servers.lock().insert(name(server), behaves);
    }

    pub(super) fn publishes(&self, document: &CanonicalJsonObject) {
        let server = document.get("server_name").and_then(CanonicalJsonValue::as_str).unwrap();
        self.is(server, Behaves::Answers(vec![text(document)]));
    }

    /// Questions so far.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Who was asked what.
    pub(super) fn log(&self) -> Vec<(OwnedServerName, Question)> {
        self.log.lock().clone()
    }

    fn ask(&self) -> Ask {
        let world = self.clone();
        Ask::with(move |server, question| {
            world.asked.fetch_add(1, Ordering::Relaxed);
            world.log.lock().push((server.clone(), question.clone()));
            let behaves = world.servers.lock().get(&server).cloned().unwrap_or(Behaves::Refuses);
            async move {
                match behaves {
                    // A notary answers questions about others by the documents after its own.
                    Behaves::Answers(documents) if question == Question::Own => {
                        Ok(documents.into_iter().take(1).collect())
                    }
                    Behaves::Answers(documents) => Ok(documents.into_iter().skip(1).collect()),
                    Behaves::Refuses => Err(AskError("refused".to_owned())),
                    Behaves::Hangs => std::future::pending().await,
                }
            }
        })
    }
}

/// We, `us.test`, with notary `notary.test`, which does not work unless told.
pub(super) struct Rig {
    pub(super) keys: ServerKeys,
    pub(super) world: World,
    pub(super) clock: Clock,
    db: Db,
}

impl Rig {
    pub(super) fn new() -> Self {
        let (world, clock, db) = (World::default(), Clock::fixed(NOW), Db::new(Memory::new()));
        let keys = Self::keys(&world, &clock, &db);
        Self { keys, world, clock, db }
    }

    /// The same after a restart: what is only in memory is gone.
    pub(super) fn restarted(self) -> Self {
        let keys = Self::keys(&self.world, &self.clock, &self.db);
        Self { keys, ..self }
    }

    fn keys(world: &World, clock: &Clock, db: &Db) -> ServerKeys {
        let old = OldKey { key_id: key_id("before"), public: [1; 32], expired_ts: NOW - DAY };
        let own = OwnKeys::new(Arc::new(signer("us.test", "ours", 99)), vec![old]);
        ServerKeys::asking(db.clone(), clock.clone(), own, &[name("notary.test"), name("us.test")], world.ask())
    }

    /// Lets `notary.test` vouch for these documents.
    pub(super) fn notary_has(&self, documents: &[&CanonicalJsonObject]) {
        let notary = signer("notary.test", "n", 50);
        let mut answers = vec![text(&document(&notary, &[], NOW + DAY))];
        for document in documents {
            let mut document = (*document).clone();
            notary.sign_json(&mut document).unwrap();
            answers.push(text(&document));
        }
        self.world.is("notary.test", Behaves::Answers(answers));
    }

    pub(super) async fn valid_now(&self, server: &str, version: &str) -> Option<[u8; 32]> {
        self.keys.valid_now(&name(server), &key_id(version)).await.ok()
    }

    /// Passes by real and by paused time.
    pub(super) async fn later(&self, ms: Millis) {
        self.clock.advance(ms);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
