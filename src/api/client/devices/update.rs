use account::Accounts;
use axum::extract::State;
use http::StatusCode;
use ruma::api::client::device::update_device::v3::{Request, Response};

use crate::{Authed, MatrixError, Reply};

/// `PUT /_matrix/client/v3/devices/{deviceId}`; an application service may create the device.
pub async fn update(
    State(accounts): State<Accounts>,
    Authed { user, appservice, req, .. }: Authed<Request>,
) -> Result<(StatusCode, Reply<Response>), MatrixError> {
    let name = req.display_name.as_deref();
    let added = if appservice.is_some() {
        accounts.put_device(&user, &req.device_id, name).await?
    } else {
        accounts.rename_device(&user, &req.device_id, name).await?;
        false
    };
    let status = if added { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Reply(Response::new())))
}
