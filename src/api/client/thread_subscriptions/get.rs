use account::AccountData;
use axum::extract::State;
use push::Subscriptions;
use room::Rooms;
use ruma::api::client::threads::get_thread_subscription::unstable::{Request, Response};

use crate::{Authed, MatrixError, Reply, client::reader::Reader};

/// `GET /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription`
pub async fn get(
    State(subscriptions): State<Subscriptions>,
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let reader = Reader::new(&data, &rooms, &user, device.as_deref()).await?;
    let automatic = subscriptions.get(&reader.viewer(), &req.room_id, &req.thread_root).await?;
    Ok(Reply(Response::new(automatic)))
}
