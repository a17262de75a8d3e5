use axum::extract::State;
use federation::membership::IncomingInvite;
use flows::Flows;
use ruma::api::federation::membership::create_invite::v2::Request;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::take_invite;
use crate::{MatrixError, RateLimits, RawReply, Signed, client::written::Written};

/// The part of the body that is kept as it came: ruma's type takes less than old servers send.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Shown {
    invite_room_state: Vec<Box<RawValue>>,
}

/// `PUT /_matrix/federation/v2/invite/{roomId}/{eventId}`
pub async fn invite_v2(
    State(flows): State<Flows>,
    State(limits): State<RateLimits>,
    Signed { origin, req, body, .. }: Signed<Request>,
) -> Result<RawReply, MatrixError> {
    let Shown { invite_room_state } = serde_json::from_slice(&body).unwrap_or_default();
    let incoming = IncomingInvite {
        origin: &origin,
        room_id: &req.room_id,
        event_id: &req.event_id,
        version: req.room_version,
        event: String::from(Box::<str>::from(req.event)).into(),
        state: invite_room_state,
    };
    let signed = take_invite(&flows, &limits, incoming).await?;
    Ok(Written::default().event("event", signed.json()).into())
}
