//! What somebody outside of a room is shown of it: its stripped state.

use event::ClientFormat;
use kv::Read;
use room::{EventNum, RoomNum, Rooms};
use ruma::UserId;
use serde_json::Value;

use crate::Result;

/// The stripped state of a room for `user`, whose member event is `member`: as another server told it, if this one is
/// not in the room.
pub async fn of_room(
    rooms: &Rooms,
    read: &impl Read,
    room: RoomNum,
    user: &UserId,
    member: EventNum,
) -> Result<Vec<Vec<u8>>> {
    let own = rooms.row(read, room, member).await?;
    let inviter = <&UserId>::try_from(own.event.sender()).ok().filter(|sender| *sender != user);
    let mut all = Vec::new();
    let mut nums = Vec::new();
    match rooms.outside_state(read, room, user).await? {
        Some(told) => {
            let is_own = |json: &str| of_user(json, user);
            all.extend(told.into_iter().filter(|json| !is_own(json)).map(String::into_bytes));
        }
        None => nums = rooms.shown_state(read, room, own.meta.before, inviter).await?,
    }
    nums.push(member);
    for (_, row) in rooms.rows(read, room, nums).await? {
        let mut out = Vec::new();
        match row.event.kind() {
            // Whole, so that the room's id can be checked by it (MSC4311).
            "m.room.create" => row.event.write_client(&mut out, ClientFormat::Full, &[]),
            _ => row.event.write_stripped(&mut out),
        }
        all.push(out);
    }
    Ok(all)
}

/// Whether this is the member event of `user`, which is shown as it is known here.
fn of_user(json: &str, user: &UserId) -> bool {
    let event: Value = serde_json::from_str(json).unwrap_or_default();
    let text = |key: &str| event.get(key).and_then(Value::as_str);
    text("type") == Some("m.room.member") && text("state_key") == Some(user.as_str())
}
