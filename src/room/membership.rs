//! Who is in which room, kept beside the state so that nobody has to walk it.

use event::Pdu;
use kv::{Read, Slot, Stamped, Topic, Tx};
use ruma::{UserId, events::TimelineEventType};
use serde::Deserialize;

use crate::{
    Membership, Result, Tip, UserRoom,
    num::{EventNum, RoomNum},
    tables::{MEMBERS, USER_CHANGES, USER_ROOMS},
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

/// Brings the membership rows up to date with a member event; answers the membership before it.
pub(crate) async fn record_membership(
    tx: &mut Tx,
    room: RoomNum,
    tip: &mut Tip,
    pdu: &Pdu,
    num: EventNum,
    slot: Slot,
) -> Result<Option<Membership>> {
    let (TimelineEventType::RoomMember, Some(state_key)) = (&pdu.kind, &pdu.state_key) else { return Ok(None) };
    let (Ok(user), Some(membership)) = (<&UserId>::try_from(state_key.as_str()), membership_of(pdu)) else {
        return Ok(None);
    };
    let old = tx.get(&USER_ROOMS, (user, room)).await?;
    let previous = old.as_ref().map_or(Membership::Leave, |row| row.value.membership);
    if old.is_some() {
        tx.delete(&MEMBERS, (room, previous.code(), user));
    }
    tx.put(&MEMBERS, (room, membership.code(), user), &num);
    count(tip, previous, membership);

    let value = UserRoom { membership, event: num, place: Some(tip.place), forgotten: false };
    match old {
        Some(old) if previous == membership => {
            tx.put(&USER_ROOMS, (user, room), &Stamped { at: old.at, value });
        }
        _ => {
            tx.put_stamped(&USER_ROOMS, (user, room), slot, value);
            tx.put(&USER_CHANGES, (user, slot), &room);
            tx.announce(Topic::Memberships(user.to_owned()), slot);
        }
    }
    Ok(Some(previous))
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
