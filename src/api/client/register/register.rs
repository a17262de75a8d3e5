use std::time::Duration;

use account::{Accounts, Issued, NewAccount, NewDevice, Operation, Permit, Uia};
use axum::extract::State;
use http::StatusCode;
use ruma::{
    OwnedUserId,
    api::{
        client::{
            account::register::{
                RegistrationKind,
                v3::{Request, Response},
            },
            uiaa::AuthData,
        },
        error::ErrorCode,
    },
};

use crate::{Class, MatrixError, Public, RateLimits, Reply, limits::Key};

/// `POST /_matrix/client/v3/register`
pub async fn register(
    State(accounts): State<Accounts>,
    State(uia): State<Uia>,
    State(limits): State<RateLimits>,
    Public { peer, req }: Public<Request>,
) -> Result<Reply<Response>, MatrixError> {
    refuse_other_kinds(&req)?;
    let flows = accounts.registration_flows().await?;
    if let Some(name) = &req.username {
        accounts.check_name(name).await?;
    }
    if matches!(req.auth, Some(AuthData::RegistrationToken(_))) {
        limits.take(Class::RegistrationToken, Key::Ip(peer.0))?;
    }
    let passed = uia.check(&operation(&req), &flows, req.auth.as_ref()).await?;
    limits.take(Class::Registration, Key::Ip(peer.0))?;
    let password = req.password.as_deref().ok_or_else(|| MatrixError::missing_param("password is missing"))?;
    let new = NewAccount {
        phc: Some(accounts.hash_password(password).await?),
        permit: passed.permit.unwrap_or(Permit::Mode),
        device: (!req.inhibit_login).then(|| NewDevice {
            id: req.device_id.clone(),
            display_name: req.initial_device_display_name.clone(),
            refresh: req.refresh_token,
        }),
        name: req.username,
    };
    let (user, issued) = accounts.register(&new).await?;
    Ok(Reply(response(user, issued)))
}

fn refuse_other_kinds(req: &Request) -> Result<(), MatrixError> {
    if req.kind == RegistrationKind::Guest {
        let message = "this server has no guest accounts";
        return Err(MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::GuestAccessForbidden, message));
    }
    if req.login_type.is_some() {
        let message = "this server has no application services";
        return Err(MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::AppserviceLoginUnsupported, message));
    }
    Ok(())
}

fn operation(req: &Request) -> Operation {
    let wanted = serde_json::json!([req.username, req.password]);
    Operation::new("register", None, wanted.to_string().as_bytes())
}

fn response(user: OwnedUserId, issued: Option<Issued>) -> Response {
    let mut response = Response::new(user);
    if let Some(issued) = issued {
        response.access_token = Some(issued.access_token);
        response.device_id = Some(issued.device);
        response.refresh_token = issued.refresh_token;
        response.expires_in = issued.expires_in_ms.map(Duration::from_millis);
    }
    response
}
