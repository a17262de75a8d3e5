use account::AccountData;
use axum::extract::State;
use ephemeral::{Presence, ReceiptKind, Receipts, Thread};
use room::Rooms;
use ruma::api::client::read_marker::set_read_marker::v3::{Request, Response};

use super::marker::set_marker;
use crate::{Authed, MatrixError, Reply};

/// `POST /_matrix/client/v3/rooms/{roomId}/read_markers`
pub async fn markers(
    State(receipts): State<Receipts>,
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    State(presence): State<Presence>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    if let Some(event) = &req.fully_read {
        set_marker(&rooms, &data, &user, &req.room_id, event).await?;
    }
    let kinds = [(ReceiptKind::Public, &req.read_receipt), (ReceiptKind::Private, &req.private_read_receipt)];
    for (kind, event) in kinds {
        if let Some(event) = event {
            receipts.set(&user, &req.room_id, kind, &Thread::Unthreaded, event).await?;
        }
    }
    presence.active(&user).await?;
    Ok(Reply(Response::new()))
}
