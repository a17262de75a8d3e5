//! Account data and tags.

mod delete_global;
mod delete_room;
mod delete_tag;
mod get_global;
mod get_room;
mod list_tags;
mod set_global;
mod set_room;
mod set_tag;

use http::{Method, StatusCode};
use ruma::api::{client::tag::create_tag, error::ErrorCode};

use crate::{MatrixError, Routes, routes::Credential};

/// MSC3391: removing account data.
const REMOVE: &str = "/_matrix/client/unstable/org.matrix.msc3391/user/{user_id}";

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    let global = format!("{REMOVE}/account_data/{{type}}");
    let room = format!("{REMOVE}/rooms/{{room_id}}/account_data/{{type}}");
    routes
        .add_raw(Method::DELETE, &global, Credential::Required, delete_global::delete_global)
        .add_raw(Method::DELETE, &room, Credential::Required, delete_room::delete_room)
        .add(get_global::get_global)
        .add(set_global::set_global)
        .add(get_room::get_room)
        .add(set_room::set_room)
        .add(list_tags::list_tags)
        .add_as::<create_tag::v3::Request, _, _>(set_tag::set_tag)
        .add(delete_tag::delete_tag)
}

/// Refuses what the server keeps by other endpoints, and what is no JSON object.
fn check(kind: &str, json: &str) -> Result<(), MatrixError> {
    if matches!(kind, "m.fully_read" | "m.push_rules") {
        let message = "this account data is set by another endpoint";
        return Err(MatrixError::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadJson, message));
    }
    if !json.trim_start().starts_with('{') {
        return Err(MatrixError::bad_json("account data must be a JSON object"));
    }
    Ok(())
}

/// Whether setting this removes what was there: MSC3391.
fn is_empty(json: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json).is_ok_and(|content| content.is_empty())
}

fn unset() -> MatrixError {
    MatrixError::not_found("there is no such account data")
}
