//! What events refer to, read without parsing the rest of them.

use std::collections::HashMap;

use event::RoomVersionRules;
use kv::Read;
use ruma::{OwnedEventId, room_version_rules::EventsReferenceFormatVersion};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::{
    EventRow, Result, Rooms,
    num::{EventNum, RoomNum},
    tables::{EVENT_IDS, EventRef},
};

/// A way along the event graph, towards older events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Along {
    /// What came right before.
    Previous,
    /// What allows an event.
    Authorization,
}

#[derive(Deserialize)]
struct PreviousOf<T> {
    prev_events: Vec<T>,
}

#[derive(Deserialize)]
struct AuthorizationOf<T> {
    auth_events: Vec<T>,
}

/// The events that `row` refers to.
pub(crate) fn edges(row: &EventRow, along: Along, rules: &RoomVersionRules) -> Vec<OwnedEventId> {
    let json = row.event.json();
    if rules.events_reference_format == EventsReferenceFormatVersion::V1 {
        let pairs: Vec<(OwnedEventId, IgnoredAny)> = list(&json, along);
        return pairs.into_iter().map(|(id, _)| id).collect();
    }
    list(&json, along)
}

/// The list of an event that was stored, and is therefore well-formed.
fn list<T: DeserializeOwned>(json: &[u8], along: Along) -> Vec<T> {
    let list = match along {
        Along::Previous => serde_json::from_slice::<PreviousOf<T>>(json).map(|found| found.prev_events),
        Along::Authorization => serde_json::from_slice::<AuthorizationOf<T>>(json).map(|found| found.auth_events),
    };
    list.unwrap_or_default()
}

impl Rooms {
    /// The numbers of those events that this room has.
    pub(crate) async fn nums_of(
        &self,
        read: &impl Read,
        room: RoomNum,
        ids: &[OwnedEventId],
    ) -> Result<HashMap<OwnedEventId, EventNum>> {
        let found = read.get_many(&EVENT_IDS, ids.iter().map(|id| &**id)).await?;
        let here = |found: Option<EventRef>| found.filter(|found| found.room == room).map(|found| found.num);
        Ok(ids.iter().zip(found).filter_map(|(id, found)| Some((id.clone(), here(found)?))).collect())
    }
}
