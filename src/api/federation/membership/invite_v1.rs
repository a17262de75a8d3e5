use axum::extract::State;
use bytes::Bytes;
use federation::membership::IncomingInvite;
use flows::Flows;
use ruma::{RoomVersionId, api::federation::membership::create_invite::v1::Request};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::take_invite;
use crate::{MatrixError, RateLimits, RawReply, Signed};

/// What goes with the event: the body is the event itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    unsigned: Unsigned,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Unsigned {
    invite_room_state: Vec<Box<RawValue>>,
}

/// `PUT /_matrix/federation/v1/invite/{roomId}/{eventId}`
///
/// Knows nothing of room versions: it is for version 1. Events of version 2 have the same form.
pub async fn invite_v1(
    State(flows): State<Flows>,
    State(limits): State<RateLimits>,
    Signed { origin, req, body, .. }: Signed<Request>,
) -> Result<RawReply, MatrixError> {
    let event: Event = serde_json::from_slice(&body).unwrap_or_default();
    let incoming = IncomingInvite {
        origin: &origin,
        room_id: &req.room_id,
        event_id: &req.event_id,
        version: RoomVersionId::V1,
        event: body,
        state: event.unsigned.invite_room_state,
    };
    let signed = take_invite(&flows, &limits, incoming).await?;
    let mut answer = b"[200,{\"event\":".to_vec();
    answer.extend_from_slice(signed.json());
    answer.extend_from_slice(b"}]");
    Ok(RawReply(Bytes::from(answer)))
}
