use account::AccountData;
use axum::extract::State;
use event::ClientFormat;
use room::Rooms;
use ruma::api::client::state::get_state_events::v3::Request;

use crate::{Authed, MatrixError, RawReply, client::reader::Reader};

/// `GET /_matrix/client/v3/rooms/{roomId}/state`
pub async fn list(
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    let view = rooms.db().view();
    let access = rooms.access(&view, &user, &req.room_id).await?;
    let rows = rooms.state_rows(&view, access.room, access.state, None).await?;
    let reader = Reader::new(&data, &rooms, &user, device.as_deref()).await?;
    let mut answer = Vec::new();
    rooms.write_plain(&reader.viewer(), &rows, ClientFormat::Full, &mut answer);
    Ok(answer.into())
}
