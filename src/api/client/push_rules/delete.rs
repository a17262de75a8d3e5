use axum::extract::State;
use push::Rules;
use ruma::api::client::push::delete_pushrule::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
pub async fn delete(
    State(rules): State<Rules>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    rules.remove(&user, &req.kind, &req.rule_id).await?;
    Ok(Reply(Response::new()))
}
