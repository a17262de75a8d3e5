use axum::extract::State;
use push::Rules;
use ruma::api::client::push::get_pushrule_enabled::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled`
pub async fn enabled(
    State(rules): State<Rules>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let rule = rules.one(&user, &req.kind, &req.rule_id).await?;
    Ok(Reply(Response::new(rule.enabled())))
}
