use axum::extract::State;
use push::Rules;
use ruma::api::client::push::set_pushrule_actions::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions`
pub async fn set_actions(
    State(rules): State<Rules>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    rules.set_actions(&user, &req.kind, &req.rule_id, &req.actions).await?;
    Ok(Reply(Response::new()))
}
