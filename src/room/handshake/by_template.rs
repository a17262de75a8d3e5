//! Our events by the templates of other servers.

use event::{Draft, MAX_AUTH_EVENTS, MAX_PREV_EVENTS, Pdu, Place, RoomVersionRules};
use ruma::{
    OwnedEventId, OwnedUserId, RoomId, RoomVersionId, UserId,
    events::TimelineEventType,
    room_version_rules::{EventIdFormatVersion, EventsReferenceFormatVersion},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Handshake;
use crate::{Result, RoomError, Rooms, compose::timestamp, create::raw, lookup::rules};

/// What is made of a template.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// Its version, as the other server says.
    pub version: &'a RoomVersionId,
    /// The local user.
    pub user: &'a UserId,
    /// What they do.
    pub handshake: Handshake,
    /// What the member event says beside the membership.
    pub content: &'a Map<String, Value>,
}

/// What counts of a template: all else we know ourselves.
#[derive(Deserialize)]
struct Proposed {
    auth_events: Vec<Value>,
    prev_events: Vec<Value>,
    #[serde(default)]
    depth: Value,
    #[serde(default)]
    content: ProposedContent,
}

#[derive(Default, Deserialize)]
struct ProposedContent {
    #[serde(default)]
    join_authorised_via_users_server: Option<OwnedUserId>,
}

/// Ids with the reference hashes that go with them in room versions 1 and 2.
#[derive(Default)]
struct References {
    ids: Vec<OwnedEventId>,
    hashes: Vec<(OwnedEventId, String)>,
}

impl Rooms {
    /// The signed event by a template (JSON) of another server: of that come only the place in the room and who vouches
    /// for a restricted join.
    ///
    /// # Errors
    /// [`RoomError::InvalidState`] when the template is none; [`RoomError::UnsupportedVersion`];
    /// [`RoomError::TooLarge`] and [`RoomError::BadContent`] for what the user gave.
    pub fn from_template(&self, answer: &Answer<'_>, template: &[u8]) -> Result<Pdu> {
        let rules = rules(answer.version)?;
        let proposed: Proposed = serde_json::from_slice(template).map_err(|error| bad(&error.to_string()))?;
        let mut content = answer.content.clone();
        content.insert("membership".into(), json!(answer.handshake.membership().as_str()));
        if let Some(user) = &proposed.content.join_authorised_via_users_server
            && answer.handshake == Handshake::Join
        {
            content.insert("join_authorised_via_users_server".into(), json!(user));
        }
        let auth = references(&proposed.auth_events, MAX_AUTH_EVENTS, &rules)?;
        let prev = references(&proposed.prev_events, MAX_PREV_EVENTS, &rules)?;
        let hashes: Vec<_> = auth.hashes.into_iter().chain(prev.hashes).collect();
        let place = Place {
            room_id: Some(answer.room_id),
            sender: answer.user,
            prev_events: &prev.ids,
            auth_events: &auth.ids,
            hashes: &hashes,
            depth: proposed.depth.as_u64().unwrap_or(1),
            origin_server_ts: timestamp(self.clock.now()),
            random: base::random::bytes(),
        };
        let draft = Draft::state(TimelineEventType::RoomMember, answer.user.as_str(), raw(&content)?);
        Ok(draft.build(&place, &self.signer, &rules)?)
    }

    /// A leave of a local user that no other server took: it follows the event that it ends.
    ///
    /// # Errors
    /// [`RoomError::UnsupportedVersion`].
    pub fn lone_leave(&self, answer: &Answer<'_>, ended: &Pdu) -> Result<Pdu> {
        let rules = rules(answer.version)?;
        let ids = [ended.event_id.clone()];
        let hashes = if rules.event_id_format == EventIdFormatVersion::V1 {
            vec![(ended.event_id.clone(), event::reference_hash(ended.json(), &rules))]
        } else {
            Vec::new()
        };
        let mut content = answer.content.clone();
        content.insert("membership".into(), json!(answer.handshake.membership().as_str()));
        let place = Place {
            room_id: Some(answer.room_id),
            sender: answer.user,
            prev_events: &ids,
            auth_events: &ids,
            hashes: &hashes,
            depth: ended.depth.saturating_add(1),
            origin_server_ts: timestamp(self.clock.now()),
            random: base::random::bytes(),
        };
        let draft = Draft::state(TimelineEventType::RoomMember, answer.user.as_str(), raw(&content)?);
        Ok(draft.build(&place, &self.signer, &rules)?)
    }

    /// An event of another server with our signature added.
    ///
    /// # Errors
    /// [`RoomError::UnsupportedVersion`]; [`RoomError::TooLarge`].
    pub fn cosign(&self, pdu: &Pdu, version: &RoomVersionId) -> Result<Pdu> {
        Ok(pdu.cosigned(&self.signer, &rules(version)?)?)
    }
}

fn references(values: &[Value], most: usize, rules: &RoomVersionRules) -> Result<References> {
    if values.len() > most {
        return Err(bad("too many references"));
    }
    let mut found = References::default();
    for value in values {
        let (id, hash) = match rules.events_reference_format {
            EventsReferenceFormatVersion::V1 => (value.get(0), value.pointer("/1/sha256").and_then(Value::as_str)),
            _ => (Some(value), None),
        };
        let id = id.and_then(Value::as_str).and_then(|id| OwnedEventId::try_from(id).ok());
        let id = id.ok_or_else(|| bad("a reference is no event id"))?;
        if let Some(hash) = hash {
            found.hashes.push((id.clone(), hash.to_owned()));
        }
        found.ids.push(id);
    }
    Ok(found)
}

fn bad(what: &str) -> RoomError {
    RoomError::InvalidState(format!("the other server's template is malformed: {what}"))
}
