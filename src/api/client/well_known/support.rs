use std::sync::Arc;

use axum::extract::State;
use ruma::api::client::discovery::discover_support::Request;
use serde_json::{Map, Value};

use super::absent;
use crate::{Config, JsonReply, MatrixError, Public, WellKnownConfig};

/// `GET /.well-known/matrix/support`
pub async fn support(State(config): State<Arc<Config>>, _: Public<Request>) -> Result<JsonReply, MatrixError> {
    let document = document(&config.well_known);
    if document.is_empty() { Err(absent()) } else { Ok(JsonReply(document.into())) }
}

fn document(config: &WellKnownConfig) -> Map<String, Value> {
    let mut contact = Map::new();
    if let Some(user) = &config.support_user {
        contact.insert("matrix_id".to_owned(), user.as_str().into());
    }
    if let Some(email) = &config.support_email {
        contact.insert("email_address".to_owned(), email.as_str().into());
    }
    let mut document = Map::new();
    if !contact.is_empty() {
        contact.insert("role".to_owned(), "m.role.admin".into());
        document.insert("contacts".to_owned(), Value::Array(vec![contact.into()]));
    }
    if let Some(page) = &config.support_page {
        document.insert("support_page".to_owned(), page.as_str().into());
    }
    document
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_document_has_what_is_configured() {
        let mut config = WellKnownConfig::default();
        assert!(document(&config).is_empty());
        config.support_email = Some("help@hearth.test".into());
        let contact = json!({ "email_address": "help@hearth.test", "role": "m.role.admin" });
        assert_eq!(Value::from(document(&config)), json!({ "contacts": [contact] }));
    }
}
