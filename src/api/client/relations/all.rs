use account::AccountData;
use axum::extract::State;
use room::Rooms;
use ruma::api::client::relations::get_relating_events::v1::Request;

use super::page::{asked, page};
use crate::{Authed, MatrixError, RawReply};

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}`
pub async fn all(
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    page(&rooms, &data, (&user, device.as_deref()), asked!(req, None, None)).await
}
