use account::AccountData;
use axum::extract::State;
use push::Subscriptions;
use room::Rooms;
use ruma::api::client::threads::subscribe_thread::unstable::{Request, Response};

use crate::{Authed, MatrixError, Reply, client::reader::Reader};

/// `PUT /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription`
pub async fn put(
    State(subscriptions): State<Subscriptions>,
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let reader = Reader::new(&data, &rooms, &user, device.as_deref()).await?;
    let because = req.automatic.as_deref();
    subscriptions.subscribe(&reader.viewer(), &req.room_id, &req.thread_root, because).await?;
    Ok(Reply(Response::new()))
}
