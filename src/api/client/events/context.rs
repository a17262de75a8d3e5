use account::AccountData;
use axum::extract::State;
use event::ClientFormat;
use room::{EventFilter, Rooms};
use ruma::api::client::context::get_context::v3::Request;

use crate::{
    Authed, MatrixError, RawReply,
    client::{point::page_size, reader::Reader, written::Written},
};

/// `GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}`
pub async fn context(
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    let view = rooms.db().view();
    let reader = Reader::new(&data, &rooms, &user, device.as_deref()).await?;
    let viewer = reader.viewer();
    let access = rooms.access(&view, &user, &req.room_id).await?;
    let (room, row) = rooms.visible_event(&view, &viewer, &req.room_id, &req.event_id).await?;
    let (filter, limit) = (EventFilter::new(&req.filter), page_size(Some(req.limit), 10));
    let context = rooms.context(&view, &access, &viewer, row, limit, &filter).await?;

    let format = ClientFormat::Full;
    let event = rooms.present(&view, room, &viewer, &[context.event], format, true).await?;
    let before = rooms.present(&view, room, &viewer, &context.before, format, true).await?;
    let after = rooms.present(&view, room, &viewer, &context.after, format, true).await?;
    let written = Written::default()
        .event("event", event.first().map(Vec::as_slice).unwrap_or_default())
        .events("events_before", &before)
        .events("events_after", &after)
        .with("state", |out| rooms.write_plain(&viewer, &context.state, format, out))
        .value("start", Some(context.start.to_string()))
        .value("end", Some(context.end.to_string()));
    Ok(written.into())
}
