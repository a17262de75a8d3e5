//! Who a room consists of.

use kv::Read;
use room::{Membership, RoomNum, Rooms, Tip, tables::MEMBERS};
use ruma::UserId;
use serde_json::Value;

use crate::{Result, response::Summary};

/// As many heroes as the specification asks for.
const HEROES: usize = 5;

/// Whether events of this type change what the summary says.
pub fn matters(kind: &str) -> bool {
    matches!(kind, "m.room.member" | "m.room.name" | "m.room.canonical_alias")
}

/// The counts, and for a room without a name some members other than `user`: joined or invited ones, else those who
/// left.
pub async fn summary(rooms: &Rooms, read: &impl Read, room: RoomNum, tip: &Tip, user: &UserId) -> Result<Summary> {
    let mut summary = Summary { heroes: None, joined: tip.joined, invited: tip.invited };
    if is_set(rooms, read, room, tip, "m.room.name", "name").await?
        || is_set(rooms, read, room, tip, "m.room.canonical_alias", "alias").await?
    {
        return Ok(summary);
    }
    let mut heroes = Vec::new();
    for membership in [Membership::Join, Membership::Invite] {
        add(read, room, membership, user, &mut heroes).await?;
    }
    if heroes.is_empty() {
        for membership in [Membership::Leave, Membership::Ban] {
            add(read, room, membership, user, &mut heroes).await?;
        }
    }
    summary.heroes = Some(heroes);
    Ok(summary)
}

/// Whether a state event says something under `key`: clients take a name away by an empty one.
async fn is_set(rooms: &Rooms, read: &impl Read, room: RoomNum, tip: &Tip, kind: &str, key: &str) -> Result<bool> {
    let Some(event) = rooms.state_event(read, room, tip.state, kind, "").await? else { return Ok(false) };
    let content: Value = serde_json::from_str(event.content.get()).unwrap_or_default();
    Ok(content.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty()))
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
