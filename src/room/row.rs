//! What is stored of an event and of a room.

use bytes::Bytes;
use event::StoredEvent;
use ruma::{OwnedDeviceId, OwnedEventId, OwnedRoomId, OwnedTransactionId, OwnedUserId, RoomVersionId};
use serde::{Deserialize, Serialize};

use crate::{
    num::{EventNum, Place},
    state::Root,
};

/// How much this server knows of what came before an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Placement {
    /// Known by itself only, as part of an auth chain or an invite.
    Outlier,
    /// The state before it is known but for memberships that are still being fetched.
    Partial,
    /// The state before it is known.
    Full,
}

/// What the authorization rules said of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Part of the room.
    Accepted,
    /// Allowed where it was sent, not by the current state: kept, never shown, never built upon.
    SoftFailed,
    /// Not allowed by its own auth events: nothing may build on it.
    RejectedByAuth(String),
    /// Not allowed by the state before it: takes part in state resolution only.
    RejectedByState(String),
}

/// Who sent a local event under which transaction id, to be echoed to that device only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// The sending device.
    pub device: OwnedDeviceId,
    /// The id that the client chose.
    pub id: OwnedTransactionId,
}

/// What this server knows of an event beside the event itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventMeta {
    /// Where it stands in the timeline; `None` for outliers, rejected and soft-failed events.
    pub place: Option<Place>,
    /// How much is known of what came before it.
    pub placement: Placement,
    /// Whether it is part of the room.
    pub verdict: Verdict,
    /// The state before it.
    pub before: Root,
    /// For state events: the event that had this state key before.
    pub replaces: Option<EventNum>,
    /// The redaction that removed its content.
    pub redacted_by: Option<EventNum>,
    /// The transaction of a local sender.
    pub transaction: Option<Transaction>,
}

impl EventMeta {
    /// Whether clients may be shown the event, visibility aside.
    pub fn is_shown(&self) -> bool {
        self.verdict == Verdict::Accepted && self.place.is_some()
    }
}

/// An event with what is known of it: one row, so that serving it is one read.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// What this server knows of it.
    pub meta: EventMeta,
    /// The event.
    pub event: StoredEvent,
}

impl kv::Value for EventRow {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut meta = Vec::with_capacity(64);
        kv::encode_serde(&self.meta, &mut meta);
        out.extend_from_slice(&u16::try_from(meta.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(&meta);
        out.extend_from_slice(self.event.as_bytes());
    }

    fn decode(bytes: Bytes) -> Result<Self, String> {
        let mut head = bytes.as_ref();
        let len = kv::codec::take(&mut head, 2).and_then(|len| len.try_into().ok()).map(u16::from_be_bytes);
        let len = usize::from(len.ok_or("no length")?);
        let meta = kv::decode_serde(kv::codec::take(&mut head, len).ok_or("meta is cut off")?)?;
        let event = StoredEvent::decode(bytes.slice(2 + len..)).map_err(|error| error.to_string())?;
        Ok(Self { meta, event })
    }
}

/// What never changes about a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomInfo {
    /// Its id.
    pub id: OwnedRoomId,
    /// Its version.
    pub version: RoomVersionId,
    /// `type` of the create event, such as `m.space`.
    pub kind: Option<String>,
    /// Who sent the create event.
    pub creator: OwnedUserId,
    /// Whether the whole state is known, members included.
    pub complete: bool,
}

/// An event that nothing follows yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extremity {
    /// Its number.
    pub num: EventNum,
    /// Its id.
    pub id: OwnedEventId,
    /// Its depth.
    pub depth: u64,
}

/// Where a room stands: the row that every append decides on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// What the next event follows.
    pub extremities: Vec<Extremity>,
    /// The current state.
    pub state: Root,
    /// The number that the next event gets.
    pub next_event: u64,
    /// The place of the newest event.
    pub place: Place,
    /// Number of joined members.
    pub joined: u64,
    /// Number of invited members.
    pub invited: u64,
}

impl Tip {
    /// The tip of a room without events.
    pub fn empty() -> Self {
        Self { extremities: Vec::new(), state: Root::EMPTY, next_event: 1, place: Place::START, joined: 0, invited: 0 }
    }

    /// The depth of the next event.
    pub fn next_depth(&self) -> u64 {
        self.extremities.iter().map(|e| e.depth).max().unwrap_or(0).saturating_add(1)
    }
}

/// A user's part in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRoom {
    /// Their membership now.
    pub membership: Membership,
    /// The member event that says so.
    pub event: EventNum,
    /// The place of that event; `None` for an invite or knock to a room that this server is not in.
    pub place: Option<Place>,
    /// Whether the user has forgotten the room.
    pub forgotten: bool,
}

/// Room membership, in the order in which the tables keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Membership {
    /// In the room.
    Join,
    /// Asked to come in.
    Invite,
    /// Asks to come in.
    Knock,
    /// Left, was removed, or never was there.
    Leave,
    /// Kept out.
    Ban,
}

impl Membership {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Join, Self::Invite, Self::Knock, Self::Leave, Self::Ban];

    /// Reads the `membership` of a member event.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "join" => Self::Join,
            "invite" => Self::Invite,
            "knock" => Self::Knock,
            "leave" => Self::Leave,
            "ban" => Self::Ban,
            _ => return None,
        })
    }

    /// As it stands in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Invite => "invite",
            Self::Knock => "knock",
            Self::Leave => "leave",
            Self::Ban => "ban",
        }
    }

    /// As it stands in keys.
    pub fn code(self) -> u8 {
        self as u8
    }
}

kv::value!(RoomInfo, Tip, UserRoom);
