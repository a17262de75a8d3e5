//! Who is in which room, kept beside the state so that nobody has to walk it.

use event::Pdu;
use kv::{Read, Slot, Stamped, Topic, Tx};
use ruma::{OwnedUserId, UserId, events::TimelineEventType};
use serde::Deserialize;

use crate::{
    Membership, Result, Rooms, Tip, UserRoom,
    num::{EventNum, Place, RoomNum},
    servers::record_server,
    state::{Root, keys},
    tables::{INVITE_STATES, MEMBERS, USER_CHANGES, USER_ROOMS},
};

mod change;
mod entry;
mod forget;

pub use change::{MemberAction, MemberChange};
pub use entry::Entry;

#[derive(Deserialize)]
struct MemberContent {
    membership: String,
}

/// The membership in the content of a member event.
pub fn membership_of(pdu: &Pdu) -> Option<Membership> {
    let content: MemberContent = serde_json::from_str(pdu.content.get()).ok()?;
    Membership::parse(&content.membership)
}

/// A membership that changed, or a member event that replaced another one of the same membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStep {
    /// Whose.
    pub user: OwnedUserId,
    /// What it was.
    pub previous: Membership,
    /// What it is.
    pub now: Membership,
}

/// A membership as a member event of the room's state has it.
#[derive(Debug)]
pub(crate) struct Standing<'a> {
    /// Whose.
    pub user: &'a UserId,
    /// What it is.
    pub membership: Membership,
    /// The member event that says so.
    pub event: EventNum,
    /// Where the change is seen in the timeline; `None` in a room that this server is not in.
    pub place: Option<Place>,
}

impl Rooms {
    /// Brings the membership rows up to date with a member event that is now part of the room's state.
    pub(crate) async fn record_own(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        tip: &mut Tip,
        pdu: &Pdu,
        num: EventNum,
        slot: Slot,
    ) -> Result<Vec<MemberStep>> {
        let (TimelineEventType::RoomMember, Some(state_key)) = (&pdu.kind, &pdu.state_key) else {
            return Ok(Vec::new());
        };
        let (Ok(user), Some(membership)) = (<&UserId>::try_from(state_key.as_str()), membership_of(pdu)) else {
            return Ok(Vec::new());
        };
        let standing = Standing { user, membership, event: num, place: Some(tip.place) };
        Ok(vec![self.record(tx, room, tip, &standing, slot).await?])
    }

    /// Brings the membership rows up to date after the room's state changed from `old` to that of `tip` by more than
    /// one event.
    pub(crate) async fn record_differences(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        tip: &mut Tip,
        old: Root,
        slot: Slot,
    ) -> Result<Vec<MemberStep>> {
        let Some(range) = keys::of_type(tx, room, "m.room.member").await? else { return Ok(Vec::new()) };
        let mut steps = Vec::new();
        for difference in self.trees(room).differences(tx, old, tip.state).await? {
            if !range.contains(&difference.key) {
                continue;
            }
            let Some(event) = difference.new.or(difference.old).map(EventNum) else { continue };
            let pdu = self.pdu(tx, room, event).await?;
            let user = pdu.state_key.as_deref().and_then(|key| <&UserId>::try_from(key).ok());
            let Some(user) = user else { continue };
            let membership = match difference.new {
                Some(_) => membership_of(&pdu).unwrap_or(Membership::Leave),
                None => Membership::Leave,
            };
            let standing = Standing { user, membership, event, place: Some(tip.place) };
            steps.push(self.record(tx, room, tip, &standing, slot).await?);
        }
        Ok(steps)
    }

    /// Writes down a membership; answers what it was.
    pub(crate) async fn record(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        tip: &mut Tip,
        standing: &Standing<'_>,
        slot: Slot,
    ) -> Result<MemberStep> {
        let Standing { user, membership, event, place } = *standing;
        let old = tx.get(&USER_ROOMS, (user, room)).await?;
        let previous = old.as_ref().map_or(Membership::Leave, |row| row.value.membership);
        if let Some(old) = &old {
            tx.delete(&MEMBERS, (room, previous.code(), user));
            if old.value.place.is_none() {
                tx.delete(&INVITE_STATES, (user, room));
            }
        }
        tx.put(&MEMBERS, (room, membership.code(), user), &event);
        count(tip, previous, membership);
        record_server(tx, room, user, previous, membership, slot).await?;

        let value = UserRoom { membership, event, place, forgotten: false };
        match old {
            Some(old) if previous == membership && old.value.place.is_some() == place.is_some() => {
                tx.put(&USER_ROOMS, (user, room), &Stamped { at: old.at, value });
            }
            _ => {
                tx.put_stamped(&USER_ROOMS, (user, room), slot, value);
                // Only users of this server sync.
                if user.server_name() == self.server() {
                    tx.put(&USER_CHANGES, (user, slot), &room);
                    tx.announce(Topic::Memberships(user.to_owned()), slot);
                }
            }
        }
        Ok(MemberStep { user: user.to_owned(), previous, now: membership })
    }
}

fn count(tip: &mut Tip, from: Membership, to: Membership) {
    match from {
        Membership::Join => tip.joined = tip.joined.saturating_sub(1),
        Membership::Invite => tip.invited = tip.invited.saturating_sub(1),
        _ => {}
    }
    match to {
        Membership::Join => tip.joined += 1,
        Membership::Invite => tip.invited += 1,
        _ => {}
    }
}
