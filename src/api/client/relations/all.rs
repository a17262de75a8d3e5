use account::AccountData;
use axum::extract::State;
use room::Rooms;
use ruma::api::client::relations::get_relating_events::v1::Request;

use crate::{
    Authed, MatrixError, RawReply,
    client::{
        reader::Reader,
        relations::page::{Asked, page},
    },
};

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}`
pub async fn all(
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    let reader = Reader::new(&data, &rooms, &user, device.as_deref()).await?;
    let asked = Asked {
        room_id: &req.room_id,
        event_id: &req.event_id,
        rel_type: None,
        kind: None,
        from: req.from.as_deref(),
        to: req.to.as_deref(),
        dir: req.dir,
        limit: req.limit,
        recurse: req.recurse,
    };
    page(&rooms, &reader, asked).await
}
