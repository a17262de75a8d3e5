use account::AccountData;
use axum::extract::State;
use push::Rules;
use ruma::{api::client::config::get_global_account_data::v3::Request, events::GlobalAccountDataEventType};

use super::unset;
use crate::{Authed, MatrixError, RawReply, client::own::own};

/// `GET /_matrix/client/v3/user/{userId}/account_data/{type}`
pub async fn get_global(
    State(data): State<AccountData>,
    State(rules): State<Rules>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    own(&user, &req.user_id)?;
    if req.event_type == GlobalAccountDataEventType::PushRules {
        // Everybody has them; they are stored once they differ from the defaults.
        return Ok(rules.json(&user).await?.to_string().into_bytes().into());
    }
    let content = data.get(&user, None, &req.event_type.to_string()).await?;
    Ok(content.ok_or_else(unset)?.into_bytes().into())
}
