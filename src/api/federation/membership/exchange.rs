use axum::extract::State;
use federation::{Memberships, membership::Bound};
use ruma::api::federation::thirdparty::exchange_invite::v1::{Request, Response};
use serde_json::Value;

use crate::{MatrixError, Reply, Signed};

/// `PUT /_matrix/federation/v1/exchange_third_party_invite/{roomId}`
pub async fn exchange(
    State(memberships): State<Memberships>,
    Signed { origin, req, .. }: Signed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let content: Value =
        serde_json::from_str(req.content.json().get()).map_err(|error| MatrixError::bad_json(error.to_string()))?;
    let signed = content.pointer("/third_party_invite/signed").cloned();
    let signed = signed.ok_or_else(|| MatrixError::missing_param("content.third_party_invite.signed is missing"))?;
    let bound = Bound { room_id: req.room_id, sender: req.sender, target: req.state_key, signed };
    memberships.exchange(&origin, &bound).await?;
    Ok(Reply(Response::new()))
}
