use account::AccountData;
use axum::extract::State;
use ruma::{OwnedRoomId, OwnedUserId, api::client::tag::create_tag::v3::Response, events::tag::TagInfo};
use serde_json::Map;

use crate::{Caller, JsonBody, MatrixError, PathArgs, Reply, client::own::own};

/// `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`
pub async fn set_tag(
    State(data): State<AccountData>,
    caller: Caller,
    PathArgs((user, room, tag)): PathArgs<(OwnedUserId, OwnedRoomId, String)>,
    JsonBody(TagInfo { order, .. }): JsonBody<TagInfo>,
) -> Result<Reply<Response>, MatrixError> {
    own(&caller.user, &user)?;
    let info = Map::from_iter(order.map(|order| ("order".to_owned(), order.into())));
    data.set_tag(&user, &room, &tag, &info).await?;
    Ok(Reply(Response::new()))
}
