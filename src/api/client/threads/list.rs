use account::AccountData;
use axum::extract::State;
use event::ClientFormat;
use room::{Include, Rooms, TimelineToken};
use ruma::api::client::threads::get_threads::v1::{IncludeThreads, Request};

use crate::{
    Authed, MatrixError, RawReply,
    client::{point::page_size, reader::Reader, written::Written},
};

/// `GET /_matrix/client/v1/rooms/{roomId}/threads`
pub async fn list(
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    let view = rooms.db().view();
    let access = rooms.access(&view, &user, &req.room_id).await?;
    let include = match req.include {
        IncludeThreads::Participated => Include::Participated,
        _ => Include::All,
    };
    let from = match req.from.as_deref().filter(|from| !from.is_empty()) {
        Some(from) => Some(TimelineToken::parse(from).ok_or_else(|| MatrixError::invalid_param("no such page"))?),
        None => None,
    };
    let reader = Reader::new(&data, &rooms, &user, device.as_deref()).await?;
    let (viewer, limit) = (reader.viewer(), page_size(req.limit, 50).max(1));
    let page = rooms.threads(&view, access.room, &viewer, include, from, limit).await?;
    let chunk = rooms.present(&view, access.room, &viewer, &page.roots, ClientFormat::Full, true).await?;
    let written =
        Written::default().events("chunk", &chunk).value("next_batch", page.next.map(|next| next.to_string()));
    Ok(written.into())
}
