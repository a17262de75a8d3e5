//! `PUT /send/{txnId}`. Server-server API, "Transactions".

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use event::Pdu;
use futures::{StreamExt, stream};
use room::{Ingested, RoomError};
use ruma::{OwnedEventId, OwnedRoomId, RoomId, ServerName};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Effort, Inbound, InboundError,
    edu::Edu,
    fetch::{From, bytes},
    junk::Whose,
    received::MAX_ID_BYTES,
};

/// Most PDUs of a transaction.
const MAX_PDUS: usize = 50;
/// Most EDUs of a transaction.
const MAX_EDUS: usize = 100;
/// Longest reason that is told, in bytes.
const MAX_REASON: usize = 300;
/// Rooms of a transaction that are worked on at a time.
const PARALLEL: usize = 8;

#[derive(Deserialize)]
struct Transaction {
    #[serde(default)]
    pdus: Vec<Box<RawValue>>,
    #[serde(default)]
    edus: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct RoomOf {
    room_id: OwnedRoomId,
}

/// What became of a PDU: empty, or what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PduResult {
    /// Why it did not get in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

type Results = BTreeMap<OwnedEventId, PduResult>;

impl Inbound {
    /// Takes in a transaction; answers the JSON to send back. A transaction that comes again gets the same answer.
    ///
    /// # Errors
    /// [`InboundError::Malformed`]; when storage fails: the other server has to try again then.
    pub async fn transaction(&self, origin: &ServerName, txn_id: &str, body: &[u8]) -> Result<String, InboundError> {
        // A list would be taken for an object's values in order.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(InboundError::Malformed("a transaction is an object".to_owned()));
        }
        let transaction: Transaction =
            serde_json::from_slice(body).map_err(|error| InboundError::Malformed(error.to_string()))?;
        if transaction.pdus.len() > MAX_PDUS || transaction.edus.len() > MAX_EDUS {
            return Err(InboundError::Malformed(format!(
                "a transaction has at most {MAX_PDUS} PDUs and {MAX_EDUS} EDUs"
            )));
        }
        if txn_id.len() > MAX_ID_BYTES {
            return Err(InboundError::Malformed("the id of the transaction is too long".to_owned()));
        }
        let _turn = self.transactions.of(origin.to_owned()).await;
        if let Some(answer) = self.answered(origin, txn_id).await? {
            return Ok(answer);
        }
        let results = self.pdus(origin, transaction.pdus).await?;
        for raw in transaction.edus {
            // An EDU that cannot be read is passed over, as one of an unknown type.
            if let Ok(edu) = serde_json::from_str::<Edu>(raw.get()) {
                self.edu(origin, edu).await?;
            }
        }
        let answer = serde_json::json!({ "pdus": results }).to_string();
        self.remember(origin, txn_id, &answer).await?;
        Ok(answer)
    }

    /// Takes in the PDUs of a transaction, rooms in parallel, in order within each.
    async fn pdus(&self, origin: &ServerName, raws: Vec<Box<RawValue>>) -> Result<Results, InboundError> {
        let mut by_room: HashMap<OwnedRoomId, Vec<Box<RawValue>>> = HashMap::new();
        for raw in raws {
            match serde_json::from_str::<RoomOf>(raw.get()) {
                Ok(RoomOf { room_id }) => by_room.entry(room_id).or_default().push(raw),
                Err(error) => tracing::info!(%origin, %error, "a PDU without a room"),
            }
        }
        let parts: Vec<_> = stream::iter(by_room)
            .map(|(room, raws)| async move { self.room_part(origin, &room, raws).await })
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        let mut results = Results::new();
        for part in parts {
            results.extend(part?);
        }
        Ok(results)
    }

    /// Takes in the PDUs of one room.
    async fn room_part(
        &self,
        origin: &ServerName,
        room: &RoomId,
        raws: Vec<Box<RawValue>>,
    ) -> Result<Results, InboundError> {
        let view = self.db.view();
        let num = match self.rooms.num(&view, room).await {
            Ok(num) => num,
            Err(RoomError::UnknownRoom) => {
                tracing::info!(%origin, %room, "events of a room that is not known here");
                return Ok(Results::new());
            }
            Err(error) => return Err(error.into()),
        };
        let info = self.rooms.info(&view, num).await?;
        let Some(rules) = event::rules(&info.version) else { return Ok(Results::new()) };
        let is_in = self.rooms.server_is_in(&view, num, origin).await?;
        let whose = if is_in { Whose::Member(origin) } else { Whose::Stranger };
        let from = From { server: origin, room, rules: &rules, whose };
        let denied = !self.rooms.acl_allows(&view, num, origin).await?;
        let mut results = Results::new();
        let mut good = Vec::new();
        for checked in self.checks.verified(&rules, bytes(raws)).await {
            match checked {
                Ok(pdu) if denied => {
                    let error = "this server is kept out of the room by its access control list".to_owned();
                    results.insert(pdu.event_id.clone(), PduResult { error: Some(error) });
                }
                Ok(pdu) => good.push(pdu),
                Err(refused) => {
                    tracing::info!(%origin, event = ?refused.event_id, %refused, "a PDU was refused");
                    if let Some(id) = refused.event_id {
                        results.insert(id, PduResult { error: Some(refused.reason) });
                    }
                }
            }
        }
        drop(view);
        self.run(&from, &good, &mut results).await?;
        Ok(results)
    }

    /// Ingests events in order, fetching what each lacks.
    async fn run(&self, from: &From<'_>, pdus: &[Arc<Pdu>], results: &mut Results) -> Result<(), InboundError> {
        let mut effort = Effort::default();
        let mut left = pdus;
        while let Some(first) = left.first() {
            let became = match self.take_run(from, left, None).await {
                Ok(became) => became,
                Err(RoomError::UnknownRoom) => return self.outside(from, left, results).await,
                Err(RoomError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    // Resolution failed for one of them: they are tried one by one.
                    let one = self.alone(from, first, &mut effort).await;
                    note(results, first, one.or_else(|_| Ok(Ingested::Rejected(error.to_string()))))?;
                    left = left.get(1..).unwrap_or_default();
                    continue;
                }
            };
            let done = became.len();
            for (pdu, became) in left.iter().zip(became) {
                let became = match became {
                    Ingested::Missing(_) => self.complete(from, pdu, &mut effort).await,
                    other => Ok(other),
                };
                note(results, pdu, became)?;
            }
            left = left.get(done..).unwrap_or_default();
        }
        if let Err(error) = self.rooms.tie_ends(from.room).await {
            tracing::warn!(room = %from.room, %error, "the ends of a room could not be tied");
        }
        Ok(())
    }

    async fn alone(&self, from: &From<'_>, pdu: &Arc<Pdu>, effort: &mut Effort) -> Result<Ingested, InboundError> {
        match self.take(from, pdu, None).await? {
            Ingested::Missing(_) => self.complete(from, pdu, effort).await,
            other => Ok(other),
        }
    }

    /// Events of a room that this server is not in: only the end of an invite or a knock is of interest.
    async fn outside(&self, from: &From<'_>, pdus: &[Arc<Pdu>], results: &mut Results) -> Result<(), InboundError> {
        for pdu in pdus {
            let ended = self.rooms.end_outside(from.room, pdu).await?;
            let error = (!ended).then(|| "this server is not in the room".to_owned());
            results.insert(pdu.event_id.clone(), PduResult { error });
        }
        Ok(())
    }
}

/// Notes what became of an event; only our own failures end the transaction.
fn note(results: &mut Results, pdu: &Pdu, became: Result<Ingested, InboundError>) -> Result<(), InboundError> {
    let error = match became {
        Ok(Ingested::Known | Ingested::Accepted(_) | Ingested::SoftFailed(_)) => None,
        Ok(Ingested::Rejected(reason)) => Some(reason),
        // The event itself is not at fault: it is asked for again when something follows it.
        Ok(Ingested::Missing(missing)) => {
            tracing::info!(event = %pdu.event_id, ?missing, "an event was not taken in: what it builds on is missing");
            None
        }
        Err(error) if error.is_internal() => return Err(error),
        Err(error) => Some(error.to_string()),
    };
    results.insert(pdu.event_id.clone(), PduResult { error: error.map(short) });
    Ok(())
}

/// A reason, which may quote the event.
fn short(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(MAX_REASON));
    reason
}

/// Bytes of a transaction at most: its PDUs and EDUs at their largest.
pub const MAX_TRANSACTION_BYTES: usize = (MAX_PDUS + MAX_EDUS) * 70_000;
