use event::Draft;
use ruma::{OwnedDeviceId, OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::KEPT;
use crate::{Result, RoomError};

/// An event that is sent later, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delayed {
    /// Who sends it.
    pub user: OwnedUserId,
    /// Where to.
    pub room: OwnedRoomId,
    /// Its type.
    pub kind: String,
    /// Its state key, if it is a state event.
    pub state_key: Option<String>,
    /// Its content: JSON as the client wrote it.
    pub content: String,
    /// How long it waits, in milliseconds.
    pub delay: u64,
    /// Since when it waits, in milliseconds since the Unix epoch.
    pub since: u64,
    /// The device and scope of the transaction id that it came with.
    pub(crate) once: Option<(OwnedDeviceId, String)>,
    /// What came of it.
    pub end: Option<DelayedEnd>,
}

/// What came of a delayed event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelayedEnd {
    /// When, in milliseconds since the Unix epoch.
    pub at: u64,
    /// What.
    pub outcome: Outcome,
}

/// How the waiting of an event ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It became this event.
    Sent(OwnedEventId),
    /// It was taken back.
    Cancelled,
    /// It could not be sent.
    Failed {
        /// Whether its user may not send it.
        forbidden: bool,
        /// What went wrong.
        error: String,
    },
}
kv::value!(Delayed);

impl Delayed {
    /// When something has to be done about it: it is to be sent, or to be forgotten.
    pub(crate) fn due(&self) -> u64 {
        match &self.end {
            None => self.since.saturating_add(self.delay),
            Some(end) => end.at.saturating_add(KEPT),
        }
    }

    pub(crate) fn draft(&self) -> Result<Draft> {
        let content = RawValue::from_string(self.content.clone());
        let content = content.map_err(|error| RoomError::BadContent(error.to_string()))?;
        Ok(match &self.state_key {
            Some(key) => Draft::state(self.kind.clone().into(), key.clone(), content),
            None => Draft::message(self.kind.clone().into(), content),
        })
    }
}
