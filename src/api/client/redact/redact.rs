use axum::extract::State;
use room::Rooms;
use ruma::api::client::redact::redact_event::v3::{Request, Response};

use crate::{
    Authed, MatrixError, Reply,
    client::own::{not_suspended, once},
};

/// `PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}`
pub async fn redact(
    State(rooms): State<Rooms>,
    Authed { user, device, account, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    // Who is suspended may still take back what they said themselves.
    if account.suspended && !rooms.is_sender(&req.room_id, &req.event_id, &user).await? {
        not_suspended(&account)?;
    }
    let once = once(device, req.txn_id);
    let event_id = rooms.redact(&req.room_id, &user, &req.event_id, req.reason.as_deref(), once).await?;
    Ok(Reply(Response::new(event_id)))
}
