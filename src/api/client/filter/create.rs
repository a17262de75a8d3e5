use account::Filters;
use axum::extract::State;
use ruma::{
    OwnedUserId,
    api::client::filter::{FilterDefinition, create_filter::v3::Response},
};
use serde_json::{Map, Value};

use crate::{Caller, JsonBody, MatrixError, PathArgs, Reply, client::own::own};

/// `POST /_matrix/client/v3/user/{userId}/filter`
///
/// Kept as it was sent, with fields that ruma's type does not have.
pub async fn create(
    State(filters): State<Filters>,
    caller: Caller,
    PathArgs(user): PathArgs<OwnedUserId>,
    JsonBody(filter): JsonBody<Map<String, Value>>,
) -> Result<Reply<Response>, MatrixError> {
    own(&caller.user, &user)?;
    let filter = Value::Object(filter);
    let json = filter.to_string();
    serde_json::from_value::<FilterDefinition>(filter).map_err(|error| MatrixError::bad_json(error.to_string()))?;
    Ok(Reply(Response::new(filters.put(&user, &json).await?)))
}
