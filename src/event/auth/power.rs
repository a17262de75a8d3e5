//! Power levels for decisions of our own: who may do what, by create and power-levels event.

use std::{collections::HashSet, sync::Arc};

use ruma::{
    Int, OwnedUserId, UserId,
    events::{TimelineEventType, room::power_levels::UserPowerLevel},
    int,
    room_version_rules::{AuthorizationRules, RoomVersionRules},
    state_res::{
        Event,
        events::{RoomCreateEvent, RoomPowerLevelsEvent, RoomPowerLevelsIntField as Field},
    },
};

use crate::{auth::Denied, pdu::Pdu};

/// The power levels of a room at some state.
///
/// Malformed levels read as their defaults here; in [`crate::authorize`] they deny.
#[derive(Debug, Clone)]
pub struct PowerLevels<E: Event = Arc<Pdu>> {
    creators: HashSet<OwnedUserId>,
    levels: Option<RoomPowerLevelsEvent<E>>,
    rules: AuthorizationRules,
}

impl<E: Event> PowerLevels<E> {
    /// Reads the power levels from the room's create and power-levels events.
    ///
    /// # Errors
    /// [`Denied`] when the create event does not say who created the room.
    pub fn new(create: E, levels: Option<E>, rules: &RoomVersionRules) -> Result<Self, Denied> {
        let rules = rules.authorization.clone();
        let creators = RoomCreateEvent::new(create).creators(&rules).map_err(Denied)?;
        Ok(Self { creators, levels: levels.map(RoomPowerLevelsEvent::new), rules })
    }

    /// The users who created the room; from version 12 on their power has no limit.
    #[must_use]
    pub fn creators(&self) -> &HashSet<OwnedUserId> {
        &self.creators
    }

    /// The power of a user.
    #[must_use]
    pub fn user(&self, user: &UserId) -> UserPowerLevel {
        let creator = self.creators.contains(user);
        if creator && self.rules.explicitly_privilege_room_creators {
            return UserPowerLevel::Infinite;
        }
        let level = match &self.levels {
            Some(levels) => levels.user_power_level(user, &self.rules).unwrap_or_default(),
            None if creator => int!(100),
            None => int!(0),
        };
        UserPowerLevel::Int(level)
    }

    /// The power needed to send an event of this type: a state event if it has a state key.
    #[must_use]
    pub fn event(&self, kind: &TimelineEventType, is_state: bool) -> Int {
        let default = if is_state { Field::StateDefault } else { Field::EventsDefault };
        self.levels
            .as_ref()
            .and_then(|levels| levels.event_power_level(kind, is_state.then_some(""), &self.rules).ok())
            .unwrap_or_else(|| default.default_value())
    }

    /// Whether a user has the power to send an event of this type. Membership is another question.
    #[must_use]
    pub fn may_send(&self, user: &UserId, kind: &TimelineEventType, is_state: bool) -> bool {
        self.user(user) >= UserPowerLevel::Int(self.event(kind, is_state))
    }

    /// The power needed to ban and to unban.
    #[must_use]
    pub fn ban(&self) -> Int {
        self.level(Field::Ban)
    }

    /// The power needed to remove someone.
    #[must_use]
    pub fn kick(&self) -> Int {
        self.level(Field::Kick)
    }

    /// The power needed to invite.
    #[must_use]
    pub fn invite(&self) -> Int {
        self.level(Field::Invite)
    }

    /// The power needed to redact events of users of other servers.
    #[must_use]
    pub fn redact(&self) -> Int {
        self.level(Field::Redact)
    }

    /// The power needed for a kind of notification, such as `room` for `@room`; 50 if not given.
    #[must_use]
    pub fn notification(&self, kind: &str) -> Int {
        let levels = self.levels.as_ref().and_then(|levels| levels.notifications(&self.rules).ok().flatten());
        levels.and_then(|levels| levels.get(kind).copied()).unwrap_or(int!(50))
    }

    fn level(&self, field: Field) -> Int {
        let level = self.levels.as_ref().and_then(|levels| levels.get_as_int_or_default(field, &self.rules).ok());
        level.unwrap_or_else(|| field.default_value())
    }
}
