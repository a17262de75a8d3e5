use account::AccountData;
use axum::extract::State;
use room::{EventFilter, Membership, RoomNum, Rooms};
use ruma::{
    UserId,
    api::client::search::search_events::v3::{Criteria, OrderBy, Request, SearchKeys},
};
use search::{Field, Mark, Order, Query, Search};
use serde_json::json;

use super::answer::{Answer, Around};
use crate::{
    Authed, MatrixError, RawReply,
    client::{point::page_size, reader::Reader, written::Written},
};

/// Most events of one page: each may come with what was said around it, and with the state of its room.
const MAX_PAGE: usize = 50;

/// `POST /_matrix/client/v3/search`
pub async fn search(
    State(search): State<Search>,
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    Authed { user, device, req, body, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    let Some(criteria) = req.search_categories.room_events else {
        return Ok(Written::default().value("search_categories", Some(json!({}))).into());
    };
    let filter = EventFilter::new(&criteria.filter);
    let after = match req.next_batch.as_deref() {
        Some(token) => Some(Mark::parse(token).ok_or_else(|| MatrixError::invalid_param("no such page"))?),
        None => None,
    };
    let words = search::words(&criteria.search_term);
    let within = searchable(&rooms, &user, &filter).await?;
    let query = Query { words: &words, fields: &fields(&criteria), rooms: &within, order: order(&criteria) };
    let hits = search.find(&query).await?;
    let reader = Reader::new(&data, &rooms, &user, device.as_deref()).await?;
    let mut answer = Answer::new(rooms, reader, filter);
    answer.take(&hits, after, page_size(criteria.filter.limit, 10).min(MAX_PAGE)).await?;
    let around = Around::of(&criteria.event_context, &body);
    let found = answer.write(&user, &words, &criteria, around).await?;
    Ok(Written::default().with("search_categories", |out| out.extend_from_slice(&found)).into())
}

/// The rooms that the user is or was in and wants to search.
async fn searchable(rooms: &Rooms, user: &UserId, filter: &EventFilter) -> Result<Vec<RoomNum>, MatrixError> {
    let view = rooms.db().view();
    let mut found = Vec::new();
    for (room, part) in rooms.user_rooms(&view, user).await? {
        let was_in = matches!(part.value.membership, Membership::Join | Membership::Leave | Membership::Ban);
        if was_in && !part.value.forgotten && filter.admits_room(&rooms.info(&view, room).await?.id) {
            found.push(room);
        }
    }
    Ok(found)
}

fn fields(criteria: &Criteria) -> Vec<Field> {
    let Some(keys) = &criteria.keys else { return Field::ALL.to_vec() };
    let field = |key: &SearchKeys| match key {
        SearchKeys::ContentBody => Some(Field::Body),
        SearchKeys::ContentName => Some(Field::Name),
        SearchKeys::ContentTopic => Some(Field::Topic),
        _ => None,
    };
    keys.iter().filter_map(field).collect()
}

fn order(criteria: &Criteria) -> Order {
    match criteria.order_by {
        Some(OrderBy::Recent) => Order::Recent,
        _ => Order::Rank,
    }
}
