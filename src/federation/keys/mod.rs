//! The signing keys of servers: ours, which we publish, and those of others, which are fetched, checked and kept.
//!
//! **Owns** [`ServerKeys`] and the tables [`crate::tables::KEYS`] and [`crate::tables::DOCUMENTS`].
//! **Invariants**
//! - A key that is valid is never replaced by a worse answer; [`merge`] is the rule. Expired keys are kept.
//! - A key counts for at most 7 days after the answer that had it.
//! - A server is asked once at a time, and not again before a pause that grows while it does not answer; who waits
//!   for it waits at most [`WAIT`].
//! - What a server publishes is bounded in bytes and keys before it is looked at.

mod ask;
mod document;
mod hunt;
mod lookup;
mod merge;
mod notary;
mod own;
mod pauses;
mod store;
mod sweep;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use base::{Clock, Millis};
use kv::Db;
use moka::sync::Cache;
use parking_lot::Mutex;
use ruma::{CanonicalJsonObject, OwnedServerName, OwnedServerSigningKeyId, ServerName};
use tokio::sync::{Semaphore, watch};

pub use ask::{Ask, AskError, Question};
pub use document::{Document, DocumentError, MAX_DOCUMENT_BYTES, MAX_KEYS};
pub use merge::KeyRow;
pub use notary::MAX_QUERIED;
pub use own::{OldKey, OwnKeys};
pub use store::DocumentRow;
pub use sweep::MAX_STRANGERS;

use crate::Client;
use pauses::Pauses;

/// How long anybody waits for keys.
pub const WAIT: Duration = Duration::from_secs(10);
/// Servers that are asked at the same time.
const ASKED_AT_ONCE: usize = 32;
/// Servers whose keys are kept in memory.
const CACHED_SERVERS: u64 = 10_000;
/// How long keys are kept in memory, which bounds how long a late read can hide a later write.
const CACHED_FOR: Duration = Duration::from_secs(10 * 60);

/// An ed25519 public key.
pub type PublicKey = [u8; 32];

/// What is known of the keys of one server, by key id.
type Rows = Arc<HashMap<OwnedServerSigningKeyId, KeyRow>>;

/// Which keys are wanted, and until when each has to be valid, in milliseconds since the epoch. No key at all means
/// whatever the server has.
pub type Wanted = BTreeMap<OwnedServerName, BTreeMap<OwnedServerSigningKeyId, Millis>>;

/// Why a key is not there.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Nobody gave a key of that name that is valid now.
    #[error("the key {key_id} of {server} could not be fetched, or is not valid now")]
    Unknown {
        /// Whose.
        server: OwnedServerName,
        /// Which.
        key_id: OwnedServerSigningKeyId,
    },
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

/// Why a document was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// It is not good.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] kv::Error),
}

impl kv::Conflicts for KeyError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}

/// The keys of all servers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ServerKeys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    own: OwnKeys,
    /// Who is asked besides the server itself.
    notaries: Vec<OwnedServerName>,
    ask: Ask,
    cache: Cache<OwnedServerName, Rows>,
    /// Who is being asked; the channel closes when that is over.
    hunted: Mutex<HashMap<OwnedServerName, watch::Receiver<()>>>,
    pauses: Pauses,
    asked: Semaphore,
}

impl ServerKeys {
    /// Keys kept in `db`; those that are missing are fetched with `client`, from their server and from `notaries`.
    #[must_use]
    pub fn new(db: Db, clock: Clock, own: OwnKeys, notaries: &[OwnedServerName], client: Client) -> Self {
        Self::asking(db, clock, own, notaries, Ask::by(client))
    }

    /// As [`ServerKeys::new`] with another way to ask, for tests.
    #[must_use]
    pub fn asking(db: Db, clock: Clock, own: OwnKeys, notaries: &[OwnedServerName], ask: Ask) -> Self {
        let notaries = notaries.iter().filter(|name| *name != own.server_name()).cloned().collect();
        Self(Arc::new(Inner {
            db,
            pauses: Pauses::new(clock.clone()),
            clock,
            own,
            notaries,
            ask,
            cache: Cache::builder().max_capacity(CACHED_SERVERS).time_to_live(CACHED_FOR).build(),
            hunted: Mutex::default(),
            asked: Semaphore::new(ASKED_AT_ONCE),
        }))
    }

    /// The signed answer to who asks for our keys.
    #[must_use]
    pub fn own_document(&self) -> CanonicalJsonObject {
        self.0.own.document(self.now())
    }

    /// The time by the clock that keys are judged with, in milliseconds since the epoch.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.0.clock.now()
    }

    /// Takes a document that came in another way, as if its server had answered with it.
    ///
    /// # Errors
    /// [`LearnError`].
    pub async fn learn(&self, json: &[u8]) -> Result<(), LearnError> {
        Ok(self.0.keep(&Document::read(json)?, true).await?)
    }

    /// Our own keys.
    #[must_use]
    pub fn own(&self) -> &OwnKeys {
        &self.0.own
    }

    /// Whether `server` is this one.
    fn is_own(&self, server: &ServerName) -> bool {
        server == self.0.own.server_name()
    }
}

#[cfg(test)]
mod cases;
