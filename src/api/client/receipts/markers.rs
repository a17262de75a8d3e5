use axum::extract::State;
use ephemeral::{Presence, ReceiptKind, Receipts, Thread};
use flows::Flows;
use ruma::api::client::read_marker::set_read_marker::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `POST /_matrix/client/v3/rooms/{roomId}/read_markers`
pub async fn markers(
    State(receipts): State<Receipts>,
    State(flows): State<Flows>,
    State(presence): State<Presence>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let kinds = [(ReceiptKind::Public, &req.read_receipt), (ReceiptKind::Private, &req.private_read_receipt)];
    let view = flows.rooms.db().view();
    let room = flows.rooms.num_of_joined(&view, &user, &req.room_id).await?;
    // Nothing is done of what cannot be done as a whole.
    for event in kinds.iter().filter_map(|(_, event)| event.as_ref()).chain(&req.fully_read) {
        flows.rooms.event_num(&view, room, event).await?;
    }
    drop(view);
    if let Some(event) = &req.fully_read {
        flows.set_marker(&user, &req.room_id, event).await?;
    }
    for (kind, event) in kinds {
        if let Some(event) = event {
            receipts.set(&user, &req.room_id, kind, &Thread::Unthreaded, event).await?;
        }
    }
    presence.active(&user).await?;
    Ok(Reply(Response::new()))
}
