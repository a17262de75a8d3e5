use axum::extract::State;
use ephemeral::{Presence, ReceiptKind, Receipts, Thread};
use flows::Flows;
use ruma::{EventId, OwnedEventId, OwnedRoomId, api::client::receipt::create_receipt::v3::Response};
use serde::Deserialize;
use serde_json::Value;

use crate::{Caller, JsonBody, MatrixError, PathArgs, Reply};

/// What the body may say; ruma's type refuses bad threads with another error than the specification asks for.
#[derive(Debug, Deserialize)]
pub struct Body {
    thread_id: Option<Value>,
}

/// `POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}`
pub async fn send(
    State(receipts): State<Receipts>,
    State(flows): State<Flows>,
    State(presence): State<Presence>,
    Caller { user, .. }: Caller,
    PathArgs((room, kind, event)): PathArgs<(OwnedRoomId, String, OwnedEventId)>,
    JsonBody(Body { thread_id }): JsonBody<Body>,
) -> Result<Reply<Response>, MatrixError> {
    let kind = match kind.as_str() {
        "m.read" => ReceiptKind::Public,
        "m.read.private" => ReceiptKind::Private,
        "m.fully_read" if thread_id.is_some() => {
            return Err(MatrixError::invalid_param("m.fully_read takes no thread_id"));
        }
        "m.fully_read" => {
            flows.set_marker(&user, &room, &event).await?;
            return Ok(Reply(Response::new()));
        }
        _ => return Err(MatrixError::invalid_param("a receipt is m.read, m.read.private or m.fully_read")),
    };
    receipts.set(&user, &room, kind, &thread(thread_id)?, &event).await?;
    presence.active(&user).await?;
    Ok(Reply(Response::new()))
}

fn thread(id: Option<Value>) -> Result<Thread, MatrixError> {
    let Some(id) = id else { return Ok(Thread::Unthreaded) };
    match id.as_str() {
        Some("main") => Ok(Thread::Main),
        Some(root) if root.starts_with('$') => match EventId::parse(root) {
            Ok(root) => Ok(Thread::Root(root)),
            Err(_) => Err(MatrixError::invalid_param("thread_id is no event id")),
        },
        _ => Err(MatrixError::invalid_param("thread_id is \"main\" or the id of a thread's root")),
    }
}
