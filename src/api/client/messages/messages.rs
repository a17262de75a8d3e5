use account::AccountData;
use axum::{
    extract::{FromRequest, RawQuery, Request as HttpRequest, State},
    http::{Uri, uri::PathAndQuery},
};
use event::ClientFormat;
use federation::Inbound;
use room::{EventFilter, HistoryQuery, Rooms};
use ruma::api::client::message::get_message_events::v3::Request;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    AppState, Authed, MatrixError, RawReply,
    client::{
        point::{direction, page_size, point},
        reader::Reader,
        written::Written,
    },
    routes::Decodes,
};

/// Times that other servers are asked for history to fill one page.
const MAX_FETCHES: usize = 3;

/// `GET /_matrix/client/v3/rooms/{roomId}/messages`
pub async fn messages(
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    State(inbound): State<Inbound>,
    RawQuery(query): RawQuery,
    Backwards(Authed { user, device, req, .. }): Backwards,
) -> Result<RawReply, MatrixError> {
    let mut view = rooms.db().view();
    let access = rooms.access(&view, &user, &req.room_id).await?;
    let (related_by, rel_types) = (more(query.as_deref()), more(query.as_deref()));
    let filter = EventFilter::new(&req.filter).related_by(related_by).rel_types(rel_types);
    let query = HistoryQuery {
        from: point(&rooms, &req.room_id, req.from.as_deref()).await?,
        to: point(&rooms, &req.room_id, req.to.as_deref()).await?,
        direction: direction(req.dir),
        limit: page_size(Some(req.limit), 10),
        filter: &filter,
    };
    let reader = Reader::new(&data, &rooms, &user, device.as_deref()).await?;
    let viewer = reader.viewer();
    let mut page = rooms.history(&view, &access, &viewer, &query).await?;
    for _ in 0..MAX_FETCHES {
        let Some(gap) = page.gap.filter(|_| page.rows.len() < query.limit) else { break };
        if !inbound.backfill(&req.room_id, gap).await? {
            break;
        }
        view = rooms.db().view();
        page = rooms.history(&view, &access, &viewer, &query).await?;
    }
    let chunk = rooms.present(&view, access.room, &viewer, &page.rows, ClientFormat::Full, true).await?;
    let mut written = Written::default()
        .value("start", Some(page.start.to_string()))
        .value("end", page.end.map(|end| end.to_string()))
        .events("chunk", &chunk);
    if filter.lazy_members {
        let members = rooms.senders_of(&view, access.room, &page.rows).await?;
        written = written.with("state", |out| rooms.write_plain(&viewer, &members, ClientFormat::Full, out));
    }
    Ok(written.into())
}

/// The request, backwards if it does not say how. `dir` is required, but clients have left it out for long, and what
/// else is wrong with a request is then the better answer.
pub struct Backwards(Authed<Request>);

impl Decodes for Backwards {
    type Request = Request;
}

impl FromRequest<AppState> for Backwards {
    type Rejection = MatrixError;

    async fn from_request(mut request: HttpRequest, state: &AppState) -> Result<Self, MatrixError> {
        if let Some(uri) = backwards(request.uri()) {
            *request.uri_mut() = uri;
        }
        Authed::from_request(request, state).await.map(Self)
    }
}

/// The same with `dir=b`; `None` if it has a direction.
fn backwards(uri: &Uri) -> Option<Uri> {
    let query = uri.query().unwrap_or_default();
    if query.split('&').any(|pair| pair.starts_with("dir=")) {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    let and = if query.is_empty() { "" } else { "&" };
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{}?{query}{and}dir=b", uri.path())).ok()?);
    Uri::from_parts(parts).ok()
}

#[derive(Deserialize)]
struct Query {
    filter: String,
}

/// A part of the filter that ruma's type does not have.
fn more<T: Default + DeserializeOwned>(query: Option<&str>) -> T {
    let uri = query.and_then(|query| format!("/?{query}").parse::<Uri>().ok()).unwrap_or_default();
    let query = axum::extract::Query::<Query>::try_from_uri(&uri).map(|query| query.0.filter);
    query.ok().and_then(|filter| serde_json::from_str(&filter).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use room::RelatedBy;

    use super::*;

    #[test]
    fn relations_are_read_from_the_filter() {
        let query = "dir=b&filter=%7B%22related_by_rel_types%22%3A%5B%22m.thread%22%5D%7D";
        assert_eq!(more::<RelatedBy>(Some(query)).related_by_rel_types, Some(vec!["m.thread".to_owned()]));
        assert_eq!(more::<RelatedBy>(Some("dir=b")), RelatedBy::default());
        assert_eq!(more::<RelatedBy>(None), RelatedBy::default());
    }
}
