use account::Filters;
use axum::extract::State;
use ruma::api::client::filter::get_filter::v3::Request;

use crate::{Authed, MatrixError, RawReply, client::own::own};

/// `GET /_matrix/client/v3/user/{userId}/filter/{filterId}`
pub async fn get(
    State(filters): State<Filters>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    own(&user, &req.user_id)?;
    let filter = filters.get(&user, &req.filter_id).await?;
    Ok(filter.ok_or_else(|| MatrixError::not_found("there is no such filter"))?.into_bytes().into())
}
