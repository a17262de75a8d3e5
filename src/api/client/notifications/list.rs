use account::AccountData;
use axum::extract::State;
use event::ClientFormat;
use push::{Counts, Notification};
use room::Rooms;
use ruma::api::client::push::get_notifications::v3::Request;
use serde_json::{Value, json};

use crate::{
    Authed, JsonReply, MatrixError,
    client::{point::page_size, reader::Reader},
};

/// Notifications of a page when the request does not say.
const DEFAULT: usize = 20;
/// Most notifications of a page.
const MOST: usize = 100;

/// `GET /_matrix/client/v3/notifications`
pub async fn list(
    State(counts): State<Counts>,
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let limit = page_size(req.limit, DEFAULT).clamp(1, MOST);
    let highlights = req.only.as_deref() == Some("highlight");
    let page = counts.page(&user, req.from.as_deref(), limit, highlights).await?;
    let reader = Reader::new(&data, &rooms, &user, device.as_deref()).await?;
    let mut notifications = Vec::with_capacity(page.notifications.len());
    for notification in page.notifications {
        notifications.push(shown(&rooms, &reader, notification).await?);
    }
    let mut body = json!({ "notifications": notifications });
    if let (Some(next), Some(body)) = (page.next, body.as_object_mut()) {
        body.insert("next_token".to_owned(), next.into());
    }
    Ok(JsonReply(body))
}

async fn shown(rooms: &Rooms, reader: &Reader, notification: Notification) -> Result<Value, MatrixError> {
    let Notification { room, num, row, actions, read } = notification;
    let view = rooms.db().view();
    let id = &rooms.info(&view, room).await?.id;
    let ts = row.event.origin_server_ts();
    let events = rooms.present(&view, room, &reader.viewer(), &[(num, row)], ClientFormat::Full, true).await?;
    let event = events.first().and_then(|json| serde_json::from_slice::<Value>(json).ok()).unwrap_or_default();
    Ok(json!({ "room_id": id, "event": event, "actions": actions, "read": read, "ts": ts }))
}
