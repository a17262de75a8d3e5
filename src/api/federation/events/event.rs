use axum::extract::State;
use room::Rooms;
use ruma::api::federation::event::get_event::v1::Request;

use crate::{MatrixError, RawReply, Signed, client::written::Written};

/// `GET /_matrix/federation/v1/event/{eventId}`
pub async fn event(
    State(rooms): State<Rooms>,
    Signed { origin, req, .. }: Signed<Request>,
) -> Result<RawReply, MatrixError> {
    let pdu = rooms.event_for_server(&rooms.db().view(), &req.event_id, &origin).await?;
    let answer = Written::default()
        .value("origin", Some(rooms.server()))
        .value("origin_server_ts", Some(rooms.clock().now()))
        .events("pdus", &[pdu]);
    Ok(answer.into())
}
