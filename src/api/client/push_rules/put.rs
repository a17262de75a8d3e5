use axum::extract::State;
use push::Rules;
use ruma::api::client::push::set_pushrule::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
pub async fn put(
    State(rules): State<Rules>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    rules.put(&user, req.rule, req.after.as_deref(), req.before.as_deref()).await?;
    Ok(Reply(Response::new()))
}
