use account::AccountData;
use axum::extract::State;
use event::ClientFormat;
use room::Rooms;
use ruma::api::client::room::get_room_event::v3::Request;

use crate::{Authed, MatrixError, RawReply, client::reader::Reader};

/// `GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}`
pub async fn event(
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    let view = rooms.db().view();
    let reader = Reader::new(&data, &rooms, &user, device.as_deref()).await?;
    let (room, row) = rooms.visible_event(&view, &reader.viewer(), &req.room_id, &req.event_id).await?;
    let json = rooms.present(&view, room, &reader.viewer(), &[row], ClientFormat::Full, true).await?;
    Ok(json.into_iter().next().unwrap_or_default().into())
}
