//! From bytes to an event that is believed: format, size, signatures, content hash.

use std::sync::Arc;

use base::Clock;
use bytes::Bytes;
use event::{Pdu, RoomVersionRules, verify::KeyMap};
use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, UInt};

use crate::keys::ServerKeys;

/// Events that are worth a thread of their own.
const CHUNK: usize = 16;

/// Why an event is dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// Its id, if it has one.
    pub event_id: Option<OwnedEventId>,
    /// What is wrong.
    pub reason: String,
}

/// Checks signatures with the keys of all servers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Checks {
    keys: ServerKeys,
    clock: Clock,
}

impl Checks {
    /// Checks with these keys.
    #[must_use]
    pub fn new(keys: ServerKeys, clock: Clock) -> Self {
        Self { keys, clock }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &ServerKeys {
        &self.keys
    }

    /// Parses and verifies events of one room version, on all cores; what has a wrong content hash comes back
    /// redacted. The answers are in the order of `events`.
    pub async fn verified(&self, rules: &RoomVersionRules, events: Vec<Bytes>) -> Vec<Result<Arc<Pdu>, Refused>> {
        let parsed = spread(events, {
            let rules = rules.clone();
            move |json| parse(&json, &rules)
        })
        .await;
        let mut needed = Vec::new();
        for pdu in parsed.iter().flatten() {
            let at = if rules.enforce_key_validity { pdu.origin_server_ts.get().into() } else { 0 };
            let Ok(servers) = event::verify::needed_keys(pdu, rules) else { continue };
            for (server, ids) in servers {
                needed.extend(ids.into_iter().map(|id| (server.clone(), id, at)));
            }
        }
        needed.sort();
        needed.dedup();
        let keys = match self.keys.for_events(&needed).await {
            Ok(keys) => Arc::new(keys),
            Err(error) => {
                let reason = format!("the keys could not be looked up: {error}");
                return parsed.into_iter().map(|pdu| pdu.and_then(|pdu| Err(refused(&pdu, reason.clone())))).collect();
            }
        };
        let (rules, now) = (rules.clone(), self.clock.now());
        spread(parsed, move |pdu| pdu.and_then(|pdu| check(pdu, &rules, &keys, now))).await
    }

    /// As [`Checks::verified`], for one event.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn one(&self, rules: &RoomVersionRules, event: Bytes) -> Result<Arc<Pdu>, Refused> {
        let mut all = self.verified(rules, vec![event]).await;
        all.pop().unwrap_or_else(|| Err(Refused { event_id: None, reason: "no event".to_owned() }))
    }
}

fn parse(json: &[u8], rules: &RoomVersionRules) -> Result<Pdu, Refused> {
    Pdu::parse(json, rules).map_err(|error| Refused { event_id: None, reason: error.to_string() })
}

fn check(pdu: Pdu, rules: &RoomVersionRules, keys: &KeyMap, now: u64) -> Result<Arc<Pdu>, Refused> {
    let now = MilliSecondsSinceUnixEpoch(UInt::new_saturating(now));
    let event_id = pdu.event_id.clone();
    match event::verify::verified(pdu, rules, keys, now) {
        Ok(pdu) => Ok(Arc::new(pdu)),
        Err(error) => Err(Refused { event_id: Some(event_id), reason: error.to_string() }),
    }
}

fn refused(pdu: &Pdu, reason: String) -> Refused {
    Refused { event_id: Some(pdu.event_id.clone()), reason }
}

/// Works on items in parallel, off the async threads if there are many.
async fn spread<T, U>(items: Vec<T>, work: impl Fn(T) -> U + Clone + Send + 'static) -> Vec<U>
where
    T: Send + 'static,
    U: Send + 'static,
{
    if items.len() < CHUNK {
        return items.into_iter().map(work).collect();
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let size = items.len().div_ceil(threads).max(CHUNK);
    let mut items = items.into_iter().peekable();
    let mut parts = Vec::new();
    while items.peek().is_some() {
        let part: Vec<T> = items.by_ref().take(size).collect();
        let work = work.clone();
        parts.push(tokio::task::spawn_blocking(move || part.into_iter().map(work).collect::<Vec<U>>()));
    }
    let mut all = Vec::new();
    for part in parts {
        match part.await {
            Ok(part) => all.extend(part),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down; nobody waits for the answer.
            Err(_) => break,
        }
    }
    all
}
