use std::time::Duration;

use account::{Accounts, Issued, NewDevice};
use appservice::AppserviceError;
use axum::extract::State;
use http::StatusCode;
use ruma::{
    OwnedDeviceId,
    api::{client::session::login::v3::Response, error::ErrorCode},
};
use serde::Deserialize;

use crate::{ByAppservice, Class, JsonBody, MatrixError, Peer, RateLimits, Reply, limits::Key};

/// What a client sends. Read here because ruma's type panics when there is no `type`.
#[derive(Deserialize)]
pub struct Body {
    #[serde(rename = "type")]
    kind: String,
    identifier: Option<Identifier>,
    /// Instead of `identifier`, deprecated since r0.4.0.
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
    device_id: Option<OwnedDeviceId>,
    initial_device_display_name: Option<String>,
    #[serde(default)]
    refresh_token: bool,
}

#[derive(Deserialize)]
struct Identifier {
    #[serde(rename = "type")]
    kind: String,
    user: Option<String>,
}

/// `POST /_matrix/client/v3/login`
pub async fn login(
    State(accounts): State<Accounts>,
    State(limits): State<RateLimits>,
    Peer(ip): Peer,
    ByAppservice(service): ByAppservice,
    JsonBody(body): JsonBody<Body>,
) -> Result<Reply<Response>, MatrixError> {
    if service.is_none() {
        limits.take(Class::Login, Key::Ip(ip))?;
    }
    let device =
        NewDevice { id: body.device_id, display_name: body.initial_device_display_name, refresh: body.refresh_token };
    let missing = |field| MatrixError::missing_param(format!("{field} is missing"));
    let issued = match body.kind.as_str() {
        "m.login.password" => {
            let name = name(body.identifier, body.user)?;
            let password = body.password.ok_or_else(|| missing("password"))?;
            if let Some(user) = accounts.meant(&name) {
                limits.take(Class::Login, Key::user(&user))?;
            }
            accounts.log_in(&name, &password, device).await?
        }
        "m.login.token" => {
            let token = body.token.ok_or_else(|| missing("token"))?;
            accounts.log_in_by_token(&token, device).await?
        }
        "m.login.application_service" => {
            let service = service.ok_or_else(|| MatrixError::unknown_token(false))?;
            let name = name(body.identifier, body.user)?;
            let user = accounts.meant(&name).ok_or_else(|| MatrixError::from(AppserviceError::NotItsUser))?;
            if !service.has_user(&user) {
                return Err(AppserviceError::Exclusive.into());
            }
            accounts.log_in_as(&user, device).await?
        }
        _ => return Err(MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::Unknown, "this login type is not known")),
    };
    Ok(Reply(response(issued)))
}

/// The user's name; nobody can be found by an address or a phone number here.
fn name(identifier: Option<Identifier>, user: Option<String>) -> Result<String, MatrixError> {
    let missing = || MatrixError::missing_param("identifier.user is missing");
    match identifier {
        Some(identifier) if identifier.kind == "m.id.user" => identifier.user.ok_or_else(missing),
        Some(_) => Err(MatrixError::forbidden("wrong user name or password")),
        None => user.ok_or_else(missing),
    }
}

fn response(issued: Issued) -> Response {
    let mut response = Response::new(issued.user, issued.access_token, issued.device);
    response.refresh_token = issued.refresh_token;
    response.expires_in = issued.expires_in_ms.map(Duration::from_millis);
    response
}
