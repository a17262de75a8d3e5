//! What the rules see as a state event: a real one, or the default of a missing one.

use std::sync::{Arc, LazyLock};

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, UserId,
    events::{StateEventType, TimelineEventType},
    state_res::Event,
};
use serde_json::value::RawValue;

use crate::pdu::Pdu;

/// A room without `m.room.join_rules` is one for the invited; ruma refuses every join there.
static INVITE_ONLY: LazyLock<Option<Box<RawValue>>> =
    LazyLock::new(|| RawValue::from_string(r#"{"join_rule":"invite"}"#.to_owned()).ok());

/// A state event for [`ruma::state_res::check_state_dependent_auth_rules`].
pub(super) struct StateEvent {
    pdu: Arc<Pdu>,
    join_rules: Option<&'static RawValue>,
}

impl StateEvent {
    /// The given event, or what counts when it is missing.
    pub(super) fn of(found: Option<Arc<Pdu>>, kind: &StateEventType, asking: &Pdu) -> Option<Self> {
        if let Some(pdu) = found {
            return Some(Self { pdu, join_rules: None });
        }
        if *kind == StateEventType::RoomJoinRules {
            let join_rules = Some(INVITE_ONLY.as_deref()?);
            return Some(Self { pdu: Arc::new(asking.clone()), join_rules });
        }
        None
    }
}

impl Event for StateEvent {
    type Id = OwnedEventId;

    fn event_id(&self) -> &Self::Id {
        &self.pdu.event_id
    }

    fn room_id(&self) -> Option<&RoomId> {
        self.pdu.room_id()
    }

    fn sender(&self) -> &UserId {
        &self.pdu.sender
    }

    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.pdu.origin_server_ts
    }

    fn event_type(&self) -> &TimelineEventType {
        &self.pdu.kind
    }

    fn content(&self) -> &RawValue {
        self.join_rules.unwrap_or(&self.pdu.content)
    }

    fn state_key(&self) -> Option<&str> {
        if self.join_rules.is_some() { Some("") } else { self.pdu.state_key.as_deref() }
    }

    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        self.pdu.prev_events()
    }

    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        self.pdu.auth_events()
    }

    fn redacts(&self) -> Option<&Self::Id> {
        self.pdu.redacts.as_ref()
    }

    fn rejected(&self) -> bool {
        self.pdu.rejected
    }
}
