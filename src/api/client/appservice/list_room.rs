use axum::extract::State;
use room::Rooms;
use ruma::api::client::{
    appservice::set_room_visibility::v3::{Request, Response},
    room::Visibility,
};

use crate::{Authed, MatrixError, Reply, client::own};

/// `PUT /_matrix/client/v3/directory/list/appservice/{networkId}/{roomId}`
pub async fn list_room(
    State(rooms): State<Rooms>,
    Authed { appservice, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let service = own::appservice(appservice)?;
    let network = format!("{}|{}", service.id, req.network_id);
    rooms.set_published_on(&network, &req.room_id, req.visibility == Visibility::Public).await?;
    Ok(Reply(Response::new()))
}
