use axum::extract::State;
use flows::Flows;
use ruma::api::client::profile::delete_profile_field::v3::{Request, Response};

use crate::{
    Authed, MatrixError, Reply,
    client::own::{not_suspended, own},
};

/// `DELETE /_matrix/client/v3/profile/{userId}/{keyName}`
pub async fn delete_field(
    State(flows): State<Flows>,
    Authed { user, account, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    own(&user, &req.user_id)?;
    not_suspended(&account)?;
    flows.set_profile(&user, req.field.as_str(), None).await?;
    Ok(Reply(Response::new()))
}
