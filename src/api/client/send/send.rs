use axum::{
    extract::State,
    response::{IntoResponse, Response as HttpResponse},
};
use event::Draft;
use room::{Later, Outgoing, Rooms};
use ruma::api::client::message::send_message_event::v3::{Request, Response};

use crate::{
    Authed, MatrixError, Reply,
    client::{
        delayed::{Wish, scheduled},
        own::{not_suspended, once},
    },
};

/// `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`
pub async fn send(
    State(rooms): State<Rooms>,
    wish: Wish,
    Authed { user, device, account, appservice, req, .. }: Authed<Request>,
) -> Result<HttpResponse, MatrixError> {
    // Who is suspended may still take back what they said.
    if req.event_type.to_string() != "m.room.redaction" {
        not_suspended(&account)?;
    }
    let draft = Draft::message(req.event_type.to_string().into(), req.body.into_json());
    let dated = appservice.and(req.timestamp).map(|ts| ts.get().into());
    let once = once(device, req.txn_id);
    if let Some(delay) = wish.delay {
        return scheduled(&rooms, &req.room_id, &Later { sender: user, draft, once, delay }).await;
    }
    let event_id = rooms.send(&req.room_id, &Outgoing { once, dated, ..Outgoing::new(&user, draft) }).await?;
    Ok(Reply(Response::new(event_id)).into_response())
}
