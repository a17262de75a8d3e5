//! The published rooms of other servers.

use federation::{Call, CallError};
use room::directory::DirectoryQuery;
use ruma::{
    ServerName, UInt,
    api::federation::directory::{get_public_rooms, get_public_rooms_filtered},
    directory::RoomTypeFilter,
};
use serde_json::{Map, Value, json};

use super::waited_for;
use crate::{Flows, Result};

/// Most rooms that are asked for at once.
const MAX_ROOMS: usize = 500;
/// Largest answer, in bytes.
const MAX_BYTES: usize = 4 << 20;

/// The request for a page: the plain one, which every server knows, unless something is looked for.
fn call(query: &DirectoryQuery) -> Result<Call, CallError> {
    let limit = query.limit.map(|limit| UInt::try_from(limit.min(MAX_ROOMS)).unwrap_or(UInt::MAX));
    if query.term.is_none() && query.kinds.is_none() {
        let mut request = get_public_rooms::v1::Request::new();
        request.limit = limit;
        request.since.clone_from(&query.since);
        return Call::of(request);
    }
    let mut request = get_public_rooms_filtered::v1::Request::new();
    request.limit = limit;
    request.since.clone_from(&query.since);
    request.filter.generic_search_term.clone_from(&query.term);
    let kinds = query.kinds.iter().flatten();
    request.filter.room_types = kinds.map(|kind| RoomTypeFilter::from(kind.clone())).collect();
    Call::of(request)
}

/// What of an answer goes on to the client.
fn page(answer: &Map<String, Value>) -> Result<Value, CallError> {
    let Some(Value::Array(chunk)) = answer.get("chunk") else {
        return Err(CallError::BadAnswer("there is no list of rooms".into()));
    };
    let rooms = chunk.iter().filter(|room| room.get("room_id").is_some_and(Value::is_string));
    let mut page = Map::from_iter([("chunk".to_owned(), json!(rooms.collect::<Vec<_>>()))]);
    let tokens = ["next_batch", "prev_batch"].into_iter().filter(|key| answer.get(*key).is_some_and(Value::is_string));
    let counts = ["total_room_count_estimate"].into_iter();
    for key in tokens.chain(counts.filter(|key| answer.get(*key).is_some_and(Value::is_u64))) {
        page.extend(answer.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    Ok(Value::Object(page))
}

impl Flows {
    /// A page of the rooms that another server publishes, as the client-server API answers it.
    ///
    /// # Errors
    /// [`crate::FlowError::Remote`].
    pub async fn remote_directory(&self, server: &ServerName, query: &DirectoryQuery) -> Result<Value> {
        let answer = self.federation.call(server, waited_for(call(query)?).max_bytes(MAX_BYTES)).await?;
        Ok(page(&answer.json()?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_asked_of_the_other_server() {
        let query = DirectoryQuery { limit: Some(9999), since: Some("s".into()), ..DirectoryQuery::default() };
        let plain = call(&query).unwrap();
        assert_eq!(plain.path_and_query, "/_matrix/federation/v1/publicRooms?limit=500&since=s");
        let query =
            DirectoryQuery { term: Some("cats".into()), kinds: Some(vec![None, Some("m.space".into())]), ..query };
        let search: Value = serde_json::from_slice(&call(&query).unwrap().body.unwrap()).unwrap();
        let filter = json!({ "generic_search_term": "cats", "room_types": [null, "m.space"] });
        assert_eq!(search, json!({ "limit": 500, "since": "s", "filter": filter }));
    }

    #[test]
    fn only_what_is_known_goes_on() {
        let answer = json!({
            "chunk": [{ "room_id": "!r:b.test", "name": "R" }, { "name": "none" }, 1],
            "next_batch": "n", "prev_batch": 7, "total_room_count_estimate": 2, "other": true,
        });
        let expected = json!({
            "chunk": [{ "room_id": "!r:b.test", "name": "R" }], "next_batch": "n", "total_room_count_estimate": 2,
        });
        assert_eq!(page(answer.as_object().unwrap()).unwrap(), expected);
        assert!(page(json!({ "chunk": 1 }).as_object().unwrap()).is_err());
    }
}
