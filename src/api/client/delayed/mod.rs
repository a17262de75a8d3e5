//! Events that are sent later: MSC4140.

mod cancel_or_send;
mod change;
mod get;
mod list;
mod put;
mod wish;

use room::{Delayed, Outcome};
use serde_json::{Value, json, value::RawValue};

pub(super) use wish::{Wish, scheduled};

use crate::{Class, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add_limited(Class::Message, put::put)
        .add(list::list)
        .add(get::get)
        .add_limited(Class::DelayedEvent, change::change)
        .add_limited(Class::DelayedEvent, cancel_or_send::cancel_or_send)
}

/// A delayed event as its user sees it.
fn shown(id: &str, row: &Delayed) -> Value {
    let content = RawValue::from_string(row.content.clone()).ok();
    let mut shown = json!({
        "delay_id": id,
        "room_id": row.room,
        "type": row.kind,
        "content": content,
        "delay": row.delay,
        "running_since": row.since,
    });
    let mut add = |key: &str, value: Value| {
        if let Some(shown) = shown.as_object_mut() {
            shown.insert(key.to_owned(), value);
        }
    };
    if let Some(key) = &row.state_key {
        add("state_key", json!(key));
    }
    if let Some(end) = &row.end {
        add("finalised_ts", json!(end.at));
        match &end.outcome {
            Outcome::Sent(event) => add("event_id", json!(event)),
            Outcome::Cancelled => {}
            Outcome::Failed { forbidden, error } => {
                let code = if *forbidden { "M_FORBIDDEN" } else { "M_UNKNOWN" };
                add("error", json!({ "errcode": code, "error": error }));
            }
        }
    }
    shown
}
