//! Modules "Room aliases" and "Published room directory".

mod create_alias;
mod delete_alias;
mod public_rooms;
mod resolve_alias;
mod room_aliases;
mod search_public_rooms;
mod set_visibility;
mod visibility;

use flows::Flows;
use room::{
    Rooms,
    directory::{DirectoryQuery, Network},
};
use ruma::{
    ServerName, UInt,
    directory::{Filter, RoomTypeFilter},
};
use serde_json::{Map, Value, json};

use crate::{JsonReply, MatrixError, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add(create_alias::create_alias)
        .add(resolve_alias::resolve_alias)
        .add(delete_alias::delete_alias)
        .add(room_aliases::room_aliases)
        .add(visibility::visibility)
        .add(set_visibility::set_visibility)
        .add(public_rooms::public_rooms)
        .add(search_public_rooms::search_public_rooms)
}

/// A page of this server's directory, or of another one's.
async fn page(flows: &Flows, server: Option<&ServerName>, query: &DirectoryQuery) -> Result<JsonReply, MatrixError> {
    match server.filter(|server| *server != flows.rooms.server()) {
        Some(server) => Ok(JsonReply(flows.remote_directory(server, query).await?)),
        None => own_page(&flows.rooms, query).await,
    }
}

/// What a search looks for.
pub(crate) fn search(filter: Filter, limit: Option<UInt>, since: Option<String>) -> DirectoryQuery {
    let kinds = |kinds: Vec<RoomTypeFilter>| kinds.iter().map(|kind| kind.as_str().map(str::to_owned)).collect();
    DirectoryQuery {
        term: filter.generic_search_term.filter(|term| !term.is_empty()),
        kinds: (!filter.room_types.is_empty()).then(|| kinds(filter.room_types)),
        limit: limit.and_then(|limit| usize::try_from(u64::from(limit)).ok()),
        since,
        network: Network::Matrix,
    }
}

/// A page of this server's directory.
pub(crate) async fn own_page(rooms: &Rooms, query: &DirectoryQuery) -> Result<JsonReply, MatrixError> {
    let page = rooms.directory(&rooms.db().view(), query).await?;
    let mut answer = Map::from_iter([("chunk".to_owned(), json!(page.rooms))]);
    for (key, token) in [("next_batch", page.next), ("prev_batch", page.previous)] {
        answer.extend(token.map(|token| (key.to_owned(), json!(token))));
    }
    answer.extend(page.total.map(|total| ("total_room_count_estimate".to_owned(), json!(total))));
    Ok(JsonReply(Value::Object(answer)))
}
