use account::AccountData;
use axum::extract::State;
use ruma::api::client::tag::create_tag::v3::{Request, Response};
use serde_json::Map;

use crate::{Authed, MatrixError, Reply, client::own::own};

/// `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`
pub async fn set_tag(
    State(data): State<AccountData>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    own(&user, &req.user_id)?;
    let info = Map::from_iter(req.tag_info.order.map(|order| ("order".to_owned(), order.into())));
    data.set_tag(&user, &req.room_id, &req.tag, &info).await?;
    Ok(Reply(Response::new()))
}
