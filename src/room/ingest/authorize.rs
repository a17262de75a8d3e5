//! The authorization rules over events that are stored.

use std::{collections::HashMap, sync::Arc};

use event::{Pdu, RoomVersionRules};
use kv::{Read, Tx};
use ruma::{
    OwnedEventId,
    events::{StateEventType, TimelineEventType},
};

use super::Missing;
use crate::{Result, Rooms, Tip, num::RoomNum, state::Root};

/// The events that another one names as its authorization.
pub(super) struct AuthEvents(HashMap<OwnedEventId, Arc<Pdu>>);

impl Rooms {
    /// The auth events of `pdu`, and which of them are missing.
    pub(super) async fn auth_events(
        &self,
        tx: &Tx,
        room: RoomNum,
        pdu: &Pdu,
        rules: &RoomVersionRules,
    ) -> Result<(AuthEvents, Vec<OwnedEventId>)> {
        let mut ids = pdu.auth_events.clone();
        if rules.authorization.room_create_event_id_as_room_id && pdu.kind != TimelineEventType::RoomCreate {
            ids.extend(event::create_event_id(&pdu.room_id));
        }
        let (mut found, mut missing) = (HashMap::new(), Vec::new());
        for id in ids {
            match self.locate(tx, &id).await? {
                Some(at) if at.room == room => {
                    found.insert(id, self.pdu(tx, room, at.num).await?);
                }
                // An event of another room is as bad as none; the rules say so when they find nothing.
                Some(_) => {}
                None => missing.push(id),
            }
        }
        Ok((AuthEvents(found), missing))
    }

    /// Whether `pdu` is a create event beside the one that the room begins with. The rules let it pass, as it follows
    /// nothing, and whoever made the room could begin it anew with it.
    pub(super) async fn is_other_create(&self, read: &impl Read, room: RoomNum, tip: &Tip, pdu: &Pdu) -> Result<bool> {
        if !pdu.is_state(&TimelineEventType::RoomCreate, "") {
            return Ok(false);
        }
        let create = self.state_event(read, room, tip.state, "m.room.create", "").await?;
        Ok(create.is_some_and(|create| create.event_id != pdu.event_id))
    }

    /// Checks `pdu` against the state `root`; `Err` says what is wrong.
    pub(super) async fn check_against(
        &self,
        read: &impl Read,
        room: RoomNum,
        pdu: &Pdu,
        rules: &RoomVersionRules,
        root: Root,
    ) -> Result<Result<(), String>> {
        let mut wanted = match event::auth_types(&pdu.kind, &pdu.sender, pdu.state_key.as_deref(), &pdu.content, rules)
        {
            Ok(wanted) => wanted,
            Err(denied) => return Ok(Err(denied.0)),
        };
        // Version 12 leaves the create event out of auth_events, but the rules look at it.
        wanted.push((StateEventType::RoomCreate, String::new()));
        let mut found = HashMap::new();
        for (kind, key) in wanted {
            if let Some(pdu) = self.state_event(read, room, root, &kind.to_string(), &key).await? {
                found.insert((kind, key), pdu);
            }
        }
        let check = event::authorize(pdu, rules, |kind, key| found.get(&(kind.clone(), key.to_owned())).cloned());
        Ok(check.map_err(|denied| denied.0))
    }
}

impl AuthEvents {
    /// Checks an event against what it names itself; `Err` says what is wrong.
    pub(super) fn check(&self, pdu: &Pdu, rules: &RoomVersionRules) -> Result<(), String> {
        event::check_auth_events(pdu, rules, |id| self.0.get(id).cloned()).map_err(|denied| denied.0)?;
        event::authorize(pdu, rules, |kind, key| {
            self.0.values().find(|pdu| pdu.is_state(&kind.to_string().into(), key)).cloned()
        })
        .map_err(|denied| denied.0)
    }
}

/// What has to be ingested before an event, if anything.
pub(super) fn missing(prev: Vec<OwnedEventId>, auth: Vec<OwnedEventId>) -> Option<Missing> {
    Some(Missing { prev, auth }).filter(|missing| !missing.is_empty())
}
