//! Authorization rules: ruma's, and what they leave out.

pub mod power;
mod state;

use std::sync::Arc;

use ruma::{
    EventId, UserId,
    events::{StateEventType, TimelineEventType},
    room_version_rules::RoomVersionRules,
    state_res,
};
use serde_json::value::RawValue;

use crate::pdu::{Pdu, create_event_id};

/// Why an event is not allowed; the text is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(pub String);

impl Denied {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// The keys of the state events that an event has to name in its `auth_events`, where they exist.
///
/// # Errors
/// [`Denied`] when the content lacks what the selection depends on, such as `membership`.
pub fn auth_types(
    kind: &TimelineEventType,
    sender: &UserId,
    state_key: Option<&str>,
    content: &RawValue,
    rules: &RoomVersionRules,
) -> Result<Vec<(StateEventType, String)>, Denied> {
    state_res::auth_types_for_event(kind, sender, state_key, content, &rules.authorization).map_err(Denied)
}

/// Checks an event against a state: the one its `auth_events` form, the one before it, or the
/// current one. Signatures are checked before this.
///
/// # Errors
/// [`Denied`] with the rule that failed.
pub fn authorize(
    pdu: &Pdu,
    rules: &RoomVersionRules,
    fetch_state: impl Fn(&StateEventType, &str) -> Option<Arc<Pdu>>,
) -> Result<(), Denied> {
    if pdu.kind == TimelineEventType::RoomMember {
        check_third_party_invite_form(pdu)?;
    }
    let fetch = |kind: &StateEventType, key: &str| state::StateEvent::of(fetch_state(kind, key), kind, pdu);
    state_res::check_state_dependent_auth_rules(&rules.authorization, pdu, fetch).map_err(Denied)
}

/// Checks what does not depend on a state: a create event on its own, and for all others that
/// `auth_events` names the right events, all of them accepted and of the same room.
///
/// # Errors
/// [`Denied`], also when `fetch_event` does not have one of the events.
pub fn check_auth_events(
    pdu: &Pdu,
    rules: &RoomVersionRules,
    fetch_event: impl Fn(&EventId) -> Option<Arc<Pdu>>,
) -> Result<(), Denied> {
    state_res::check_state_independent_auth_rules(&rules.authorization, pdu, &fetch_event).map_err(Denied)?;
    // ruma looks whether the event with the id of the room is accepted, not what it is.
    if rules.authorization.room_create_event_id_as_room_id && !pdu.room_id_from_id {
        let create = create_event_id(&pdu.room_id).and_then(|id| fetch_event(&id));
        if !create.is_some_and(|create| create.kind == TimelineEventType::RoomCreate && create.room_id == pdu.room_id) {
            return Err(Denied::new("the room id is not that of an `m.room.create` event"));
        }
    }
    Ok(())
}

/// An invite with `third_party_invite` present but not an object is no ordinary invite: ruma takes
/// `null` for absent there.
fn check_third_party_invite_form(pdu: &Pdu) -> Result<(), Denied> {
    let content = pdu.content.get().as_bytes();
    let malformed =
        crate::scan::field(content, "third_party_invite").is_some_and(|value| value.of(content).first() != Some(&b'{'));
    let invite = crate::scan::field(content, "membership").is_some_and(|value| value.of(content) == b"\"invite\"");
    if malformed && invite {
        return Err(Denied::new("`third_party_invite` is not an object"));
    }
    Ok(())
}
