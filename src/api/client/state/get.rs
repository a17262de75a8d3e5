use account::AccountData;
use axum::extract::State;
use event::ClientFormat;
use room::Rooms;
use ruma::api::client::state::get_state_event_for_key::v3::{Request, StateEventFormat};

use crate::{Authed, MatrixError, RawReply, client::reader::Reader};

/// `GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
pub async fn get(
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    let view = rooms.db().view();
    let access = rooms.access(&view, &user, &req.room_id).await?;
    let kind = req.event_type.to_string();
    let found = rooms.state_row(&view, access.room, access.state, &kind, &req.state_key).await?;
    if req.format != StateEventFormat::Event {
        return Ok(found.1.event.content().as_bytes().to_vec().into());
    }
    let reader = Reader::new(&data, &rooms, &user, device.as_deref()).await?;
    let full = rooms.present(&view, access.room, &reader.viewer(), &[found], ClientFormat::Full, false).await?;
    Ok(full.into_iter().next().unwrap_or_default().into())
}
