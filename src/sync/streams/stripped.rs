//! What somebody outside of a room is shown of it: its stripped state.

use kv::Read;
use room::{EventNum, RoomNum, Rooms};
use ruma::UserId;

use crate::Result;

/// State that is shown to invited and knocking users, beside the member events.
const SHOWN: [&str; 7] = [
    "m.room.create",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.avatar",
    "m.room.name",
    "m.room.encryption",
    "m.room.topic",
];

/// The stripped state of a room of this server for `user`, whose member event is `member`.
pub async fn of_room(
    rooms: &Rooms,
    read: &impl Read,
    room: RoomNum,
    user: &UserId,
    member: EventNum,
) -> Result<Vec<Vec<u8>>> {
    let own = rooms.row(read, room, member).await?;
    let root = own.meta.before;
    let mut nums = Vec::new();
    for kind in SHOWN {
        nums.extend(rooms.state_num(read, room, root, kind, "").await?);
    }
    if own.event.sender() != user.as_str() {
        nums.extend(rooms.state_num(read, room, root, "m.room.member", own.event.sender()).await?);
    }
    nums.push(member);
    let rows = rooms.rows(read, room, nums).await?;
    Ok(rows
        .iter()
        .map(|(_, row)| {
            let mut out = Vec::new();
            row.event.write_stripped(&mut out);
            out
        })
        .collect())
}
