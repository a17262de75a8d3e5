use std::sync::Arc;

use axum::extract::State;
use ruma::api::client::discovery::discover_homeserver::Request;
use serde_json::{Value, json};

use super::absent;
use crate::{Config, JsonReply, MatrixError, Public};

/// `GET /.well-known/matrix/client`
pub async fn client(State(config): State<Arc<Config>>, _: Public<Request>) -> Result<JsonReply, MatrixError> {
    Ok(JsonReply(document(config.well_known.client.as_deref().ok_or_else(absent)?)))
}

/// With what clients look for here: that devices can be dehydrated (MSC3814).
fn document(base_url: &str) -> Value {
    json!({ "m.homeserver": { "base_url": base_url }, "org.matrix.msc3814": true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_that_devices_can_be_dehydrated() {
        let document = document("https://hearth.test");
        assert_eq!(document["m.homeserver"]["base_url"], "https://hearth.test");
        assert_eq!(document["org.matrix.msc3814"], true);
    }
}
