use std::time::Duration;

use account::{Accounts, Issued, NewAccount, NewDevice, Operation, Permit, Uia};
use appservice::{Appservice, Appservices};
use axum::extract::State;
use http::StatusCode;
use ruma::{
    OwnedUserId,
    api::{
        client::{
            account::register::{
                LoginType, RegistrationKind,
                v3::{Request, Response},
            },
            uiaa::AuthData,
        },
        error::ErrorCode,
    },
};

use crate::{ByAppservice, Class, MatrixError, Public, RateLimits, Reply, limits::Key};

/// `POST /_matrix/client/v3/register`
pub async fn register(
    State(accounts): State<Accounts>,
    State(uia): State<Uia>,
    State(limits): State<RateLimits>,
    State(appservices): State<Appservices>,
    ByAppservice(service): ByAppservice,
    Public { peer, req }: Public<Request>,
) -> Result<Reply<Response>, MatrixError> {
    if let Some(service) = &service {
        return by_appservice(&accounts, &appservices, service, req).await;
    }
    refuse_other_kinds(&req)?;
    let flows = accounts.registration_flows().await?;
    if let Some(name) = &req.username {
        appservices.check_new_user(None, &accounts.check_name(name).await?)?;
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
        device: device(&req),
        name: req.username,
    };
    let (user, issued) = accounts.register(&new).await?;
    Ok(Reply(response(user, issued)))
}

/// Registration of a user that an application service acts for: without password and without further proof.
/// Application Service API, "Server admin style permissions".
async fn by_appservice(
    accounts: &Accounts,
    appservices: &Appservices,
    service: &Appservice,
    req: Request,
) -> Result<Reply<Response>, MatrixError> {
    let name = req.username.as_deref().ok_or_else(|| MatrixError::missing_param("username is missing"))?;
    if let Some(user) = accounts.meant(name) {
        appservices.check_new_user(Some(service), &user)?;
    }
    let device = device(&req);
    let new = NewAccount { name: req.username, phc: None, permit: Permit::Appservice, device };
    let (user, issued) = accounts.register(&new).await?;
    Ok(Reply(response(user, issued)))
}

fn refuse_other_kinds(req: &Request) -> Result<(), MatrixError> {
    if req.kind == RegistrationKind::Guest {
        let message = "this server has no guest accounts";
        return Err(MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::GuestAccessForbidden, message));
    }
    match req.login_type {
        // Only with the token of an application service, and that was none.
        Some(LoginType::ApplicationService) => Err(MatrixError::unknown_token(false)),
        _ => Ok(()),
    }
}

/// The device to log in with, unless none is wanted.
fn device(req: &Request) -> Option<NewDevice> {
    (!req.inhibit_login).then(|| NewDevice {
        id: req.device_id.clone(),
        display_name: req.initial_device_display_name.clone(),
        refresh: req.refresh_token,
    })
}

/// What is wanted of the name. The password is no part of it: a quick hash of that must not be stored between two stages.
fn operation(req: &Request) -> Operation {
    Operation::new("register", None, req.username.as_deref().unwrap_or_default().as_bytes())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_between_two_stages_depends_on_the_name_alone() {
        let wanted = |name: &str, password: &str| {
            let mut req = Request::new();
            (req.username, req.password) = (Some(name.to_owned()), Some(password.to_owned()));
            format!("{:?}", operation(&req))
        };
        assert_eq!(wanted("alice", "one"), wanted("alice", "two"));
        assert_ne!(wanted("alice", "one"), wanted("bob", "one"));
    }
}
