//! Addresses and phone numbers. This server keeps none: it lists nothing and refuses to add any.

use http::{Method, StatusCode};
use ruma::api::{
    client::account::{
        ThirdPartyIdRemovalStatus, add_3pid, bind_3pid, delete_3pid, get_3pids,
        request_3pid_management_token_via_email, request_3pid_management_token_via_msisdn,
        request_password_change_token_via_email, request_password_change_token_via_msisdn,
        request_registration_token_via_email, request_registration_token_via_msisdn, unbind_3pid,
    },
    error::ErrorCode,
};
use serde::de::IgnoredAny;

use crate::{Authed, Caller, Credential, JsonBody, MatrixError, Public, Reply, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add(list)
        .add(delete)
        .add(unbind)
        .add(async |_: Authed<add_3pid::v3::Request>| denied())
        .add(async |_: Authed<bind_3pid::v3::Request>| denied())
        .add_raw(Method::POST, "/_matrix/client/v3/account/3pid", Credential::Required, add_old)
        .add_raw(Method::POST, "/_matrix/client/r0/account/3pid", Credential::Required, add_old)
        .add(async |_: Public<request_3pid_management_token_via_email::v3::Request>| denied())
        .add(async |_: Public<request_3pid_management_token_via_msisdn::v3::Request>| denied())
        .add(async |_: Public<request_registration_token_via_email::v3::Request>| denied())
        .add(async |_: Public<request_registration_token_via_msisdn::v3::Request>| denied())
        .add(async |_: Public<request_password_change_token_via_email::v3::Request>| unknown())
        .add(async |_: Public<request_password_change_token_via_msisdn::v3::Request>| unknown())
}

/// `POST /_matrix/client/v3/account/3pid`, which ruma does not know any more.
async fn add_old(_: Caller, _: JsonBody<IgnoredAny>) -> MatrixError {
    denied()
}

/// `GET /_matrix/client/v3/account/3pid`
async fn list(_: Authed<get_3pids::v3::Request>) -> Reply<get_3pids::v3::Response> {
    Reply(get_3pids::v3::Response::new(Vec::new()))
}

/// `POST /_matrix/client/v3/account/3pid/delete`
async fn delete(_: Authed<delete_3pid::v3::Request>) -> Reply<delete_3pid::v3::Response> {
    Reply(delete_3pid::v3::Response::new(ThirdPartyIdRemovalStatus::NoSupport))
}

/// `POST /_matrix/client/v3/account/3pid/unbind`
async fn unbind(_: Authed<unbind_3pid::v3::Request>) -> Reply<unbind_3pid::v3::Response> {
    Reply(unbind_3pid::v3::Response::new(ThirdPartyIdRemovalStatus::NoSupport))
}

fn denied() -> MatrixError {
    let message = "this server keeps no addresses and phone numbers";
    MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::ThreepidDenied, message)
}

fn unknown() -> MatrixError {
    let message = "no account has this address or phone number";
    MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::ThreepidNotFound, message)
}
