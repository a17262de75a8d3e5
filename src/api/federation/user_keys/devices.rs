use axum::extract::State;
use federation::RemoteDevices;
use ruma::api::federation::device::get_devices::v1::Request;

use crate::{MatrixError, RawReply, Signed};

/// `GET /_matrix/federation/v1/user/devices/{userId}`
pub async fn devices(
    State(devices): State<RemoteDevices>,
    Signed { req, .. }: Signed<Request>,
) -> Result<RawReply, MatrixError> {
    let list = devices.list(&req.user_id).await?;
    Ok(serde_json::to_vec(&list).map_err(|error| MatrixError::internal(&error))?.into())
}
