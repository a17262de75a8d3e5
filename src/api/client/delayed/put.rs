use axum::extract::State;
use event::Draft;
use room::{Later, Rooms};
use ruma::api::client::delayed_events::send_delayed_event::unstable::{Request, Response};

use crate::{
    Authed, MatrixError, Reply,
    client::own::{not_suspended, once},
};

/// `PUT /_matrix/client/unstable/org.matrix.msc4140/rooms/{roomId}/delayed_event/{eventType}/{txnId}`
pub async fn put(
    State(rooms): State<Rooms>,
    Authed { user, device, account, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    not_suspended(&account)?;
    let (kind, content) = (req.event_type, req.content.into_json());
    let draft = match req.state_key {
        Some(key) => Draft::state(kind, key, content),
        None => Draft::message(kind, content),
    };
    let delay = u64::try_from(req.delay.as_millis()).unwrap_or(u64::MAX);
    let once = once(device, req.txn_id);
    let id = rooms.schedule(&req.room_id, &Later { sender: user, draft, once, delay }).await?;
    Ok(Reply(Response::new(id)))
}
