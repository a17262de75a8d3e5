//! Who gets into a restricted room, and who of this server lets them in.
//!
//! Client-server API, "Restricted rooms"; server-server API, "Restricted rooms".

use std::collections::BTreeSet;

use event::{Pdu, UserPowerLevel};
use kv::{Read, Tx};
use ruma::{OwnedUserId, RoomId, UserId};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Membership, Result, RoomError, Rooms, Tip,
    lookup::rules,
    num::RoomNum,
    tables::{MEMBERS, USER_ROOMS},
};

/// How somebody who was not invited gets into a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The room is not restricted: the authorization rules decide alone.
    Unrestricted,
    /// They are in one of the rooms that it lets in, and this member of this server vouches for that.
    By(OwnedUserId),
    /// They are in none of those rooms.
    Refused,
    /// This server is in none of those rooms, so it cannot tell.
    Unknown,
    /// They may come in, but no member of this server has the power to invite.
    Powerless,
}

impl Entry {
    pub(crate) fn into_error(self) -> RoomError {
        match self {
            Self::Unknown => {
                RoomError::UnableToAuthorise("this server is in none of the rooms that let you into this one".into())
            }
            Self::Powerless => RoomError::UnableToGrant("nobody of this server may let you into this room".into()),
            Self::Unrestricted | Self::By(_) | Self::Refused => {
                RoomError::Denied("you are in none of the rooms whose members may join this one".into())
            }
        }
    }
}

#[derive(Deserialize)]
struct JoinRules {
    join_rule: String,
    #[serde(default)]
    allow: Vec<Value>,
}

impl JoinRules {
    /// The rooms whose members may join.
    fn rooms(&self) -> impl Iterator<Item = &RoomId> {
        self.allow.iter().filter_map(|condition| {
            let is_membership = condition.get("type")?.as_str()? == "m.room_membership";
            let room = condition.get("room_id")?.as_str()?;
            <&RoomId>::try_from(room).ok().filter(|_| is_membership)
        })
    }
}

impl Rooms {
    /// How `user`, who was not invited, gets into a room by its join rules.
    pub(crate) async fn entry(&self, tx: &Tx, room: RoomNum, tip: &Tip, user: &UserId) -> Result<Entry> {
        let rules = rules(&self.info(tx, room).await?.version)?.authorization;
        let Some(pdu) = self.state_event(tx, room, tip.state, "m.room.join_rules", "").await? else {
            return Ok(Entry::Unrestricted);
        };
        let Ok(join_rules) = serde_json::from_str::<JoinRules>(pdu.content.get()) else {
            return Ok(Entry::Unrestricted);
        };
        let restricted = match join_rules.join_rule.as_str() {
            "restricted" => rules.restricted_join_rule,
            "knock_restricted" => rules.knock_restricted_join_rule,
            _ => false,
        };
        if !restricted {
            return Ok(Entry::Unrestricted);
        }
        let (mut listed, mut known) = (false, false);
        for allowed in join_rules.rooms() {
            listed = true;
            // Of a room that this server is not in, it knows nothing that could be relied on.
            let Ok(allowed) = self.num(tx, allowed).await else { continue };
            if !self.server_is_in(tx, allowed, self.server()).await? {
                continue;
            }
            known = true;
            let part = tx.get(&USER_ROOMS, (user, allowed)).await?;
            if part.is_some_and(|part| part.value.membership == Membership::Join) {
                return Ok(self.authoriser(tx, room, tip).await?.map_or(Entry::Powerless, Entry::By));
            }
        }
        Ok(if listed && !known { Entry::Unknown } else { Entry::Refused })
    }

    /// A member of this server with the power to invite.
    async fn authoriser(&self, tx: &Tx, room: RoomNum, tip: &Tip) -> Result<Option<OwnedUserId>> {
        let levels = self.power_levels(tx, room, tip.state).await?;
        let event = self.state_event(tx, room, tip.state, "m.room.power_levels", "").await?;
        let needed = UserPowerLevel::Int(levels.invite());
        let fits = |user: &UserId| user.server_name() == self.server() && levels.user(user) >= needed;

        let mut named: BTreeSet<_> = levels.creators().iter().cloned().collect();
        named.extend(event.as_deref().map(users_of).unwrap_or_default());
        for user in named.into_iter().filter(|user| fits(user)) {
            if self.member_in(tx, room, tip, user.as_str()).await? == Membership::Join {
                return Ok(Some(user));
            }
        }
        // Members without a level of their own are all alike; one whom nobody named shows what they may.
        let anybody = self.server_user();
        if !anybody.as_deref().is_some_and(fits) {
            return Ok(None);
        }
        let mut members = tx.scan(&MEMBERS, MEMBERS.under(&(room, Membership::Join.code())));
        while let Some(((_, _, user), _)) = members.next().await? {
            if fits(&user) {
                return Ok(Some(user));
            }
        }
        Ok(None)
    }

    /// A user id of this server that nobody can have.
    fn server_user(&self) -> Option<OwnedUserId> {
        UserId::parse(format!("@:{}", self.server())).ok()
    }
}

/// The users that a power levels event names.
fn users_of(event: &Pdu) -> Vec<OwnedUserId> {
    let content: Value = serde_json::from_str(event.content.get()).unwrap_or_default();
    let users = content.get("users").and_then(Value::as_object);
    users.into_iter().flatten().filter_map(|(user, _)| UserId::parse(user).ok()).collect()
}
