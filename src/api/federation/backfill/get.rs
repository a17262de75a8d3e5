use axum::extract::State;
use room::Rooms;
use ruma::api::federation::backfill::get_backfill::v1::Request;

use crate::{MatrixError, RawReply, Signed, client::written::Written};

/// `GET /_matrix/federation/v1/backfill/{roomId}`
pub async fn get(
    State(rooms): State<Rooms>,
    Signed { origin, req, .. }: Signed<Request>,
) -> Result<RawReply, MatrixError> {
    let view = rooms.db().view();
    let room = rooms.served_room(&view, &req.room_id, &origin).await?;
    let limit = usize::try_from(u64::from(req.limit)).unwrap_or(usize::MAX);
    let pdus = rooms.backfill_for(&view, room, &origin, &req.v, limit).await?;
    let answer = Written::default()
        .value("origin", Some(rooms.server()))
        .value("origin_server_ts", Some(rooms.clock().now()))
        .events("pdus", &pdus);
    Ok(answer.into())
}
