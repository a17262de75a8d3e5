//! Invites of our users to rooms of other servers.

use std::sync::Arc;

use bytes::Bytes;
use event::{ClientFormat, Pdu, RoomVersionRules, StoredEvent};
use room::{Invitation, Membership, UserRoom, membership_of};
use ruma::{
    EventId, OwnedUserId, RoomId, RoomVersionId, ServerName, UserId, events::TimelineEventType,
    room_version_rules::RoomIdFormatVersion,
};
use serde_json::{Map, Value, value::RawValue};

use super::{MembershipError, Memberships, Result, join::rules_of};

/// Most events of a stripped state that are looked at.
const MAX_STRIPPED: usize = 100;
/// Bytes of a stripped state that are kept; what does not fit is left out.
const MAX_STRIPPED_BYTES: usize = event::MAX_EVENT_BYTES;
/// Most invites to rooms of other servers that a user may have at once.
const MAX_PENDING: usize = 500;
/// What a stripped event consists of.
const STRIPPED: [&str; 4] = ["content", "sender", "state_key", "type"];

/// An invite as another server sends it.
#[derive(Debug)]
pub struct IncomingInvite<'a> {
    /// Who sends it.
    pub origin: &'a ServerName,
    /// The room that the path names.
    pub room_id: &'a RoomId,
    /// The event that the path names.
    pub event_id: &'a EventId,
    /// The version of the room.
    pub version: RoomVersionId,
    /// The event.
    pub event: Bytes,
    /// What the invited user is shown of the room.
    pub state: Vec<Box<RawValue>>,
}

/// An invite that was checked, for a user of ours.
#[derive(Debug)]
pub struct CheckedInvite {
    /// Who is invited.
    pub user: OwnedUserId,
    invitation: Invitation,
}

impl CheckedInvite {
    /// Who invites.
    pub fn sender(&self) -> &UserId {
        &self.invitation.event.sender
    }
}

impl Memberships {
    /// Checks an invite: its form, its signatures, that it is of the server which sends it and for a user of ours.
    ///
    /// # Errors
    /// [`MembershipError::IncompatibleVersion`], [`MembershipError::Invalid`], [`MembershipError::Forbidden`],
    /// [`MembershipError::Refused`].
    pub async fn check_invite(&self, incoming: IncomingInvite<'_>) -> Result<CheckedInvite> {
        let rules = rules_of(&incoming.version)?;
        let pdu = Pdu::parse(&incoming.event, &rules).map_err(|error| MembershipError::Invalid(error.to_string()))?;
        let user = self.check_form(&pdu, &incoming)?;
        let view = self.rooms.db().view();
        match self.rooms.num(&view, incoming.room_id).await {
            Ok(room) if !self.rooms.acl_allows(&view, room, incoming.origin).await? => {
                return Err(MembershipError::Forbidden("your server is kept out by the room's access list".into()));
            }
            Ok(_) | Err(room::RoomError::UnknownRoom) => {}
            Err(error) => return Err(error.into()),
        }
        drop(view);
        self.check_pending(&user).await?;
        self.check_shown(incoming.room_id, &rules, &incoming.state).await?;
        let event = self.checks.one(&rules, incoming.event).await?;
        if event.redacted {
            return Err(MembershipError::Forbidden("the content of the event is not what was signed".into()));
        }
        let state = stripped(&incoming.state, &rules);
        Ok(CheckedInvite { user, invitation: Invitation { version: incoming.version, event, state } })
    }

    /// Takes an invite: answers it with our signature added. In a room that this server is in, the event comes with the
    /// room's others.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn take_invite(&self, checked: CheckedInvite) -> Result<Arc<Pdu>> {
        let CheckedInvite { mut invitation, .. } = checked;
        invitation.event = Arc::new(self.rooms.cosign(&invitation.event, &invitation.version)?);
        self.rooms.record_outside(&invitation.event.room_id, &invitation).await?;
        Ok(invitation.event)
    }

    /// Refuses invites of a user who has too many: other servers could fill the disk with them.
    async fn check_pending(&self, user: &UserId) -> Result<()> {
        let rooms = self.rooms.user_rooms(&self.rooms.db().view(), user).await?;
        let is_pending = |part: &UserRoom| part.membership == Membership::Invite && part.place.is_none();
        if rooms.iter().filter(|(_, part)| is_pending(&part.value)).count() >= MAX_PENDING {
            return Err(MembershipError::Forbidden("the user has too many invites".into()));
        }
        Ok(())
    }

    fn check_form(&self, pdu: &Pdu, incoming: &IncomingInvite<'_>) -> Result<OwnedUserId> {
        let invalid = |text: &str| MembershipError::Invalid(text.to_owned());
        if pdu.room_id != incoming.room_id || pdu.event_id != incoming.event_id {
            return Err(invalid("the event is another one than the path says"));
        }
        if pdu.kind != TimelineEventType::RoomMember || membership_of(pdu) != Some(Membership::Invite) {
            return Err(invalid("the event is no invite"));
        }
        let user = pdu.state_key.as_deref().and_then(|key| UserId::parse(key).ok());
        let user = user.ok_or_else(|| invalid("the event has no user as its state key"))?;
        if user.server_name() != self.rooms.server() {
            return Err(invalid("the invited user is not of this server"));
        }
        if pdu.sender.server_name() != incoming.origin {
            return Err(MembershipError::Forbidden("the sender of the event is not of your server".into()));
        }
        Ok(user)
    }

    /// Checks what the invited user is to be shown. From room version 12 on these are to be events of the room, with the
    /// create event, which proves the room's id: what is such an event must be of the room and signed. That all of them
    /// are is not insisted upon, as servers still send stripped ones (MSC4311 says "should").
    async fn check_shown(&self, room_id: &RoomId, rules: &RoomVersionRules, state: &[Box<RawValue>]) -> Result<()> {
        if rules.room_id_format == RoomIdFormatVersion::V1 {
            return Ok(());
        }
        if state.len() > MAX_STRIPPED {
            return Err(MembershipError::Invalid("invite_room_state has too many events".into()));
        }
        let events = state.iter().filter(|raw| is_whole(raw));
        let events = events.map(|raw| Bytes::copy_from_slice(raw.get().as_bytes())).collect();
        let mut has_create = false;
        for checked in self.checks.verified(rules, events).await {
            let pdu = checked
                .map_err(|refused| MembershipError::Invalid(format!("an event of invite_room_state: {refused}")))?;
            if pdu.room_id != room_id {
                return Err(MembershipError::Invalid("an event of invite_room_state is of another room".into()));
            }
            has_create |= pdu.is_state(&TimelineEventType::RoomCreate, "");
        }
        if !has_create {
            tracing::info!(room = %room_id, "an invite came without the create event that proves the room's id");
        }
        Ok(())
    }
}

/// Whether this is more than a stripped event.
fn is_whole(raw: &RawValue) -> bool {
    #[derive(serde::Deserialize)]
    struct Signed {
        signatures: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_str::<Signed>(raw.get()).is_ok_and(|event| event.signatures.is_some())
}

/// Events as clients outside of a room get them. What is no event is left out. The create event stays whole, so that
/// the room's id can be checked by it (MSC4311).
pub(super) fn stripped(events: &[Box<RawValue>], rules: &RoomVersionRules) -> Vec<String> {
    let strip = |raw: &RawValue| {
        if raw.get().len() > MAX_STRIPPED_BYTES {
            return None;
        }
        let mut event: Map<String, Value> = serde_json::from_str(raw.get()).ok()?;
        if event.get("type").is_some_and(|kind| kind == "m.room.create")
            && let Some(whole) = whole(raw, rules)
        {
            return Some(whole);
        }
        event.retain(|key, _| STRIPPED.contains(&key.as_str()));
        let text = |key| event.get(key).is_some_and(Value::is_string);
        let complete = text("sender") && text("state_key") && text("type");
        (complete && event.get("content").is_some_and(Value::is_object)).then(|| Value::Object(event).to_string())
    };
    let mut left = MAX_STRIPPED_BYTES;
    let fits = |text: &String| {
        let fits = text.len() <= left;
        left -= if fits { text.len() } else { 0 };
        fits
    };
    events.iter().take(MAX_STRIPPED).filter_map(|raw| strip(raw)).filter(fits).collect()
}

/// An event in federation format as clients get it; `None` if it is none.
fn whole(raw: &RawValue, rules: &RoomVersionRules) -> Option<String> {
    let pdu = Pdu::parse(raw.get().as_bytes(), rules).ok()?;
    let mut out = Vec::new();
    StoredEvent::from_pdu(&pdu, rules).ok()?.write_client(&mut out, ClientFormat::Full, &[]);
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn rules() -> RoomVersionRules {
        event::rules(&RoomVersionId::V12).unwrap()
    }

    #[test]
    fn only_what_strangers_may_know_of_an_event_is_kept() {
        let full = r#"{"auth_events":[],"content":{"name":"x"},"hashes":{},"sender":"@a:b","state_key":"","type":"m.room.name"}"#;
        let expected = r#"{"content":{"name":"x"},"sender":"@a:b","state_key":"","type":"m.room.name"}"#;
        assert_eq!(stripped(&[raw(full)], &rules()), [expected]);
    }

    #[test]
    fn an_event_with_signatures_is_to_be_a_whole_one() {
        assert!(is_whole(&raw(r#"{"type":"m.room.create","signatures":{}}"#)));
        for text in ["7", "{}", r#"{"content":{},"sender":"@a:b","state_key":"","type":"x"}"#] {
            assert!(!is_whole(&raw(text)), "{text}");
        }
    }

    #[test]
    fn what_is_no_event_is_left_out() {
        for text in ["7", "[]", "{}", r#"{"type":"a","state_key":"","sender":"@a:b","content":[]}"#] {
            assert!(stripped(&[raw(text)], &rules()).is_empty(), "{text}");
        }
        let one = r#"{"content":{},"sender":"@a:b","state_key":"","type":"x"}"#;
        let many: Vec<_> = (0..200).map(|_| raw(one)).collect();
        assert_eq!(stripped(&many, &rules()).len(), MAX_STRIPPED);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let event = |size: usize| {
            raw(&format!(r#"{{"content":{{"a":"{}"}},"sender":"@a:b","state_key":"","type":"x"}}"#, "a".repeat(size)))
        };
        let sizes: Vec<_> =
            stripped(&[event(40_000), event(40_000), event(20_000)], &rules()).iter().map(String::len).collect();
        assert!(sizes.len() == 2 && sizes[0] > 40_000 && sizes[1] < 40_000, "{sizes:?}");
    }
}
