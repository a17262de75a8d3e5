//! Modules "Room aliases" and "Published room directory".

mod create_alias;
mod delete_alias;
mod public_rooms;
mod resolve_alias;
mod room_aliases;
mod search_public_rooms;
mod set_visibility;
mod visibility;

use room::{Rooms, directory::DirectoryQuery};
use ruma::ServerName;
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

/// A page of this server's directory.
async fn page(rooms: &Rooms, server: Option<&ServerName>, query: &DirectoryQuery) -> Result<JsonReply, MatrixError> {
    if server.is_some_and(|server| server != rooms.server()) {
        return Err(MatrixError::forbidden("this server does not ask other servers for their rooms"));
    }
    let page = rooms.directory(&rooms.db().view(), query).await?;
    let mut answer = Map::from_iter([("chunk".to_owned(), json!(page.rooms))]);
    for (key, token) in [("next_batch", page.next), ("prev_batch", page.previous)] {
        answer.extend(token.map(|token| (key.to_owned(), json!(token))));
    }
    answer.extend(page.total.map(|total| ("total_room_count_estimate".to_owned(), json!(total))));
    Ok(JsonReply(Value::Object(answer)))
}
