use axum::extract::State;
use push::Rules;
use ruma::api::client::push::set_pushrule_enabled::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled`
pub async fn set_enabled(
    State(rules): State<Rules>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    rules.set_enabled(&user, &req.kind, &req.rule_id, req.enabled).await?;
    Ok(Reply(Response::new()))
}
