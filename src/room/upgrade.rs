//! Replacing a room by one of another version. Client-server API, "Room Upgrades".

use event::{Draft, RoomVersionRules};
use kv::{Pending, Tx};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, events::TimelineEventType as Kind};
use serde_json::{Map, Value, json};

use crate::{
    MemberProfile, Membership, Outgoing, Result, RoomError, RoomInfo, Rooms, Tip,
    compose::Moment,
    create::{Founding, add_creators_to, member, raw},
    lookup::rules,
    num::RoomNum,
};

mod carry;
mod levels;
mod lists;
mod spaces;

/// A room to replace.
#[derive(Debug, Clone)]
pub struct Upgrade {
    /// Who replaces it, and creates the new one.
    pub user: OwnedUserId,
    /// Their name and picture.
    pub profile: MemberProfile,
    /// The version of the new room.
    pub version: RoomVersionId,
    /// Who else has unlimited power in it, from version 12 on.
    pub additional_creators: Vec<OwnedUserId>,
}

/// One side of an upgrade.
struct Side {
    num: RoomNum,
    info: RoomInfo,
    rules: RoomVersionRules,
    tip: Tip,
}

/// What an upgrade works with inside its transaction.
struct Work<'a> {
    rooms: &'a Rooms,
    upgrade: &'a Upgrade,
    moment: Moment,
    old: Side,
    new: Side,
}

impl Rooms {
    /// Replaces a room: the new room with everything carried over, the tombstone in the old one, aliases, the
    /// directory and spaces that both sides are in, in one transaction.
    ///
    /// # Errors
    /// [`RoomError::UnsupportedVersion`], [`RoomError::UnknownRoom`], [`RoomError::Denied`] when the user may not
    /// send the tombstone, [`RoomError::InvalidParam`].
    pub async fn upgrade(&self, room_id: &RoomId, upgrade: &Upgrade) -> Result<OwnedRoomId> {
        let new_rules = rules(&upgrade.version)?;
        let room = self.num(&self.db.view(), room_id).await?;
        let content = self.new_create_content(room, upgrade, &new_rules).await?;
        let founding = self.founding(&upgrade.user, upgrade.version.clone(), new_rules, content).await?;
        let moment = self.moment();
        let turn = self.turns.of(room).await;
        let (id, pending) =
            kv::retry(|| async { Box::pin(self.upgrade_once(room, upgrade, &founding, moment)).await }).await?;
        drop(turn);
        pending.durable().await?;
        Ok(id)
    }

    /// What the new create event takes over from the old one.
    async fn new_create_content(
        &self,
        room: RoomNum,
        upgrade: &Upgrade,
        rules: &RoomVersionRules,
    ) -> Result<Map<String, Value>> {
        let view = self.db.view();
        let tip = self.tip(&view, room).await?;
        let create = self.state_event(&view, room, tip.state, "m.room.create", "").await?;
        let create = create.ok_or(RoomError::UnknownRoom)?;
        let mut content: Map<String, Value> = serde_json::from_str(create.content.get()).unwrap_or_default();
        for own in ["room_version", "creator", "predecessor", "additional_creators"] {
            content.remove(own);
        }
        if rules.authorization.additional_room_creators {
            let others = upgrade.additional_creators.iter().filter(|user| **user != upgrade.user);
            add_creators_to(&mut content, others);
        }
        content.insert("predecessor".into(), json!({ "room_id": create.room_id }));
        Ok(content)
    }

    async fn upgrade_once(
        &self,
        room: RoomNum,
        upgrade: &Upgrade,
        founding: &Founding,
        moment: Moment,
    ) -> Result<(OwnedRoomId, Pending)> {
        let mut tx = self.db.begin();
        let info = RoomInfo::clone(&*self.info(&tx, room).await?);
        let mut old = Side { num: room, rules: rules(&info.version)?, info, tip: self.tip(&tx, room).await? };
        if self.member_in(&tx, room, &old.tip, upgrade.user.as_str()).await? != Membership::Join {
            return Err(RoomError::NotJoined);
        }
        // The state that is carried over is the one before the old room is closed.
        let before = old.tip.clone();
        let mut content = founding.content.clone();
        if let Some(id) = &founding.id {
            // Where the id does not come from the create event, that event can name the tombstone.
            let tombstone = self.tombstone(&mut tx, &mut old, upgrade, id, moment).await?;
            content.insert("predecessor".into(), json!({ "room_id": old.info.id, "event_id": tombstone }));
        }
        let founding = Founding {
            num: founding.num,
            id: founding.id.clone(),
            creator: founding.creator.clone(),
            version: founding.version.clone(),
            rules: founding.rules.clone(),
            content,
        };
        let (info, tip) = self.found(&mut tx, &founding, moment).await?;
        if founding.id.is_none() {
            self.tombstone(&mut tx, &mut old, upgrade, &info.id, moment).await?;
        }
        let new = Side { num: founding.num, info, rules: founding.rules, tip };
        let mut work = Work { rooms: self, upgrade, moment, old, new };
        work.furnish(&mut tx, &before).await?;
        work.move_lists(&mut tx, &before).await?;
        work.close(&mut tx, &before).await?;
        work.relink_spaces(&mut tx, &before).await?;
        let id = work.new.info.id.clone();
        Ok((id, tx.submit().await?))
    }

    /// Says in the old room where it goes on.
    async fn tombstone(
        &self,
        tx: &mut Tx,
        old: &mut Side,
        upgrade: &Upgrade,
        replacement: &RoomId,
        moment: Moment,
    ) -> Result<ruma::OwnedEventId> {
        let content = json!({ "body": "This room has been replaced", "replacement_room": replacement });
        let draft = Draft::state(Kind::RoomTombstone, "", raw(&content)?);
        let out = Outgoing::new(&upgrade.user, draft);
        Ok(self.compose(tx, old.num, &mut old.tip, &out, moment).await?.event_id.clone())
    }
}

impl Work<'_> {
    /// Sends a state event into one of the rooms. What the rules refuse is left out: an upgrade does not fail
    /// for a part of the old room that the new one cannot have.
    async fn put(&mut self, tx: &mut Tx, into: Which, kind: Kind, state_key: &str, content: &Value) -> Result<bool> {
        let out = Outgoing::new(&self.upgrade.user, Draft::state(kind, state_key, raw(content)?));
        let side = match into {
            Which::Old => &mut self.old,
            Which::New => &mut self.new,
        };
        attempt(self.rooms, tx, side.num, &mut side.tip, &out, self.moment).await
    }

    /// Brings the user and the state into the new room.
    async fn furnish(&mut self, tx: &mut Tx, before: &Tip) -> Result<()> {
        let join = member(self.upgrade.user.as_str(), "join", &self.upgrade.profile, None)?;
        let join = Outgoing::new(&self.upgrade.user, join);
        self.rooms.compose(tx, self.new.num, &mut self.new.tip, &join, self.moment).await?;
        let levels = self.levels(tx, before).await?;
        self.put(tx, Which::New, Kind::RoomPowerLevels, "", &levels.at_first).await?;
        self.carry_state(tx, before).await?;
        self.carry_bans(tx).await?;
        if let Some(finally) = &levels.finally {
            self.put(tx, Which::New, Kind::RoomPowerLevels, "", finally).await?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
enum Which {
    Old,
    New,
}

/// Sends an event if the rules allow it; answers whether they did.
async fn attempt(
    rooms: &Rooms,
    tx: &mut Tx,
    room: RoomNum,
    tip: &mut Tip,
    out: &Outgoing,
    moment: Moment,
) -> Result<bool> {
    match rooms.compose(tx, room, tip, out, moment).await {
        Ok(_) => Ok(true),
        Err(error @ (RoomError::Denied(_) | RoomError::BadContent(_) | RoomError::TooLarge(_))) => {
            tracing::info!(kind = %out.draft.kind, %error, "event left out of a room upgrade");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
