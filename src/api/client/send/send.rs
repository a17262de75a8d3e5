use axum::{
    extract::State,
    response::{IntoResponse, Response as HttpResponse},
};
use ephemeral::Presence;
use event::Draft;
use room::{Later, Outgoing, Rooms};
use ruma::{
    OwnedEventId, UserId,
    api::client::message::send_message_event::v3::{Request, Response},
};
use serde::Deserialize;

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
    State(presence): State<Presence>,
    wish: Wish,
    Authed { user, device, account, appservice, req, .. }: Authed<Request>,
) -> Result<HttpResponse, MatrixError> {
    if account.suspended && !takes_back(&rooms, &user, &req).await? {
        not_suspended(&account)?;
    }
    let draft = Draft::message(req.event_type.to_string().into(), req.body.into_json());
    let dated = appservice.and(req.timestamp).map(|ts| ts.get().into());
    let once = once(device, req.txn_id);
    if let Some(delay) = wish.delay {
        return scheduled(&rooms, &req.room_id, &Later { sender: user, draft, once, delay }).await;
    }
    let event_id = rooms.send(&req.room_id, &Outgoing { once, dated, ..Outgoing::new(&user, draft) }).await?;
    presence.active(&user).await?;
    Ok(Reply(Response::new(event_id)).into_response())
}

#[derive(Deserialize)]
struct Redaction {
    redacts: OwnedEventId,
}

/// Whether users redact what they said themselves: who is suspended may still do that.
async fn takes_back(rooms: &Rooms, user: &UserId, req: &Request) -> Result<bool, MatrixError> {
    if req.event_type.to_string() != "m.room.redaction" {
        return Ok(false);
    }
    match serde_json::from_str::<Redaction>(req.body.json().get()) {
        Ok(Redaction { redacts }) => Ok(rooms.is_sender(&req.room_id, &redacts, user).await?),
        Err(_) => Ok(false),
    }
}
