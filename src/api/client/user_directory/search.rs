use axum::extract::State;
use flows::Flows;
use ruma::api::client::user_directory::search_users::v3::Request;
use serde_json::{Map, Value, json};

use crate::{Authed, JsonReply, MatrixError};

/// Most people of one answer.
const MAX_PEOPLE: u64 = 50;

/// `POST /_matrix/client/v3/user_directory/search`
pub async fn search(
    State(flows): State<Flows>,
    Authed { user, req, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let limit = usize::try_from(u64::from(req.limit).min(MAX_PEOPLE)).unwrap_or_default();
    let found = flows.find_people(&user, &req.search_term, limit).await?;
    let results: Vec<_> = found.people.into_iter().map(shown).collect();
    Ok(JsonReply(json!({ "results": results, "limited": found.limited })))
}

fn shown(person: account::Person) -> Value {
    let mut shown = Map::new();
    shown.insert("user_id".to_owned(), person.user.as_str().into());
    for (key, value) in [("display_name", person.displayname), ("avatar_url", person.avatar_url)] {
        if let Some(value) = value {
            shown.insert(key.to_owned(), value.into());
        }
    }
    shown.into()
}
