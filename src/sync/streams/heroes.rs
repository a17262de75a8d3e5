//! Who a room consists of.

use kv::Read;
use room::{Membership, RoomNum, Rooms, Tip, tables::MEMBERS};
use ruma::UserId;

use crate::{Result, response::Summary};

/// As many heroes as the specification asks for.
const HEROES: usize = 5;

/// The counts, and some members other than `user`: joined or invited ones, else those who left.
pub async fn summary(rooms: &Rooms, read: &impl Read, room: RoomNum, tip: &Tip, user: &UserId) -> Result<Summary> {
    let mut heroes = Vec::new();
    for membership in [Membership::Join, Membership::Invite] {
        add(read, room, membership, user, &mut heroes).await?;
    }
    if heroes.is_empty() {
        for membership in [Membership::Leave, Membership::Ban] {
            add(read, room, membership, user, &mut heroes).await?;
        }
    }
    let named = rooms.state_num(read, room, tip.state, "m.room.name", "").await?.is_some()
        || rooms.state_num(read, room, tip.state, "m.room.canonical_alias", "").await?.is_some();
    if named {
        heroes.clear();
    }
    Ok(Summary { heroes, joined: tip.joined, invited: tip.invited })
}

async fn add(
    read: &impl Read,
    room: RoomNum,
    membership: Membership,
    user: &UserId,
    heroes: &mut Vec<String>,
) -> Result<()> {
    let range = MEMBERS.under(&(room, membership.code()));
    let rows = read.scan(&MEMBERS, range).by(HEROES + 1).first(HEROES + 1).await?;
    let others = rows.into_iter().map(|((_, _, member), _)| member).filter(|member| member != user);
    heroes.extend(others.map(|member| member.to_string()));
    heroes.truncate(HEROES);
    Ok(())
}
