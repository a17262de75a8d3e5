use account::{Accounts, Device};
use axum::extract::State;
use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::client::admin::get_user_info::v3::{ConnectionInfo, DeviceInfo, Request, Response, SessionInfo},
};

use crate::{Authed, MatrixError, Reply, client::own::own};

/// `GET /_matrix/client/v3/admin/whois/{userId}`
pub async fn whois(
    State(accounts): State<Accounts>,
    Authed { user, account, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    if !account.admin {
        own(&user, &req.user_id)?;
    }
    if accounts.user(&req.user_id).await?.is_none() {
        return Err(MatrixError::not_found("there is no such user on this server"));
    }
    let devices = accounts.devices(&req.user_id).await?;
    let mut response = Response::new();
    response.user_id = Some(req.user_id);
    response.devices = devices.into_iter().map(|device| (device.id.to_string(), info(device))).collect();
    Ok(Reply(response))
}

fn info(device: Device) -> DeviceInfo {
    let mut connection = ConnectionInfo::new();
    connection.ip = device.seen_ip;
    connection.last_seen = device.seen_at.and_then(|at| UInt::try_from(at).ok()).map(MilliSecondsSinceUnixEpoch);
    let mut session = SessionInfo::new();
    session.connections = vec![connection];
    let mut info = DeviceInfo::new();
    info.sessions = vec![session];
    info
}
