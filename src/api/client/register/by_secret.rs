use account::{Accounts, Profiles, SharedSecretRequest};
use appservice::Appservices;
use axum::extract::State;
use serde::Deserialize;
use serde_json::json;

use crate::{Class, JsonBody, JsonReply, MatrixError, Peer, RateLimits, limits::Key};

/// What a program that knows the shared secret sends.
#[derive(Deserialize)]
pub struct Body {
    nonce: String,
    username: String,
    password: String,
    #[serde(default)]
    admin: bool,
    user_type: Option<String>,
    displayname: Option<String>,
    mac: String,
}

/// `POST /_synapse/admin/v1/register`
pub async fn by_secret(
    State(accounts): State<Accounts>,
    State(profiles): State<Profiles>,
    State(limits): State<RateLimits>,
    State(appservices): State<Appservices>,
    Peer(ip): Peer,
    JsonBody(body): JsonBody<Body>,
) -> Result<JsonReply, MatrixError> {
    limits.take(Class::RegistrationToken, Key::Ip(ip))?;
    let Body { nonce, username, password, admin, user_type, displayname, mac } = body;
    if let Some(user) = accounts.meant(&username) {
        appservices.check_new_user(None, &user)?;
    }
    let req = SharedSecretRequest { nonce, username, password, admin, user_type, mac };
    let issued = accounts.register_by_secret(&req).await?;
    if let Some(name) = displayname {
        profiles.set(&issued.user, "displayname", Some(name.into())).await?;
    }
    Ok(JsonReply(json!({
        "access_token": issued.access_token,
        "user_id": issued.user,
        "home_server": accounts.server(),
        "device_id": issued.device,
    })))
}
