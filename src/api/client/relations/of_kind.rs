use account::AccountData;
use axum::extract::State;
use room::Rooms;
use ruma::api::client::relations::get_relating_events_with_rel_type_and_event_type::v1::Request;

use super::page::{asked, page};
use crate::{Authed, MatrixError, RawReply};

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}`
pub async fn of_kind(
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    page(
        &rooms,
        &data,
        (&user, device.as_deref()),
        asked!(req, Some(req.rel_type.to_string()), Some(req.event_type.to_string())),
    )
    .await
}
