use account::AccountData;
use room::{Membership, RoomError, Rooms};
use ruma::{EventId, OwnedEventId, RoomId, UserId};
use serde::Deserialize;
use serde_json::json;

use crate::MatrixError;

/// The account data that keeps the marker.
const KIND: &str = "m.fully_read";

#[derive(Deserialize)]
struct Marker {
    event_id: OwnedEventId,
}

/// Notes that `user` has read everything up to `event`; a marker never moves back. Client-server API, "Fully read
/// markers".
///
/// # Errors
/// 403 when the user is not in the room, 404 for an unknown event.
pub async fn set_marker(
    rooms: &Rooms,
    data: &AccountData,
    user: &UserId,
    room_id: &RoomId,
    event: &EventId,
) -> Result<(), MatrixError> {
    let view = rooms.db().view();
    let room = match rooms.num(&view, room_id).await {
        Err(RoomError::UnknownRoom) => return Err(RoomError::NotJoined.into()),
        other => other?,
    };
    if rooms.membership(&view, user, room).await? != Membership::Join {
        return Err(RoomError::NotJoined.into());
    }
    let place = async |id: &EventId| {
        let num = rooms.event_num(&view, room, id).await?;
        Ok::<_, RoomError>(rooms.row(&view, room, num).await?.meta.place)
    };
    let new = place(event).await?;
    let old = data.get(user, Some(room_id), KIND).await?.and_then(|json| serde_json::from_str::<Marker>(&json).ok());
    if let Some(old) = old
        && place(&old.event_id).await.unwrap_or_default() >= new
    {
        return Ok(());
    }
    data.set(user, Some(room_id), KIND, &json!({ "event_id": event }).to_string()).await?;
    Ok(())
}
