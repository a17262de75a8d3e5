use std::sync::Arc;

use axum::extract::State;
use ruma::api::client::discovery::discover_support::Request;
use serde_json::json;

use super::absent;
use crate::{Config, JsonReply, MatrixError, Public, WellKnownConfig};

/// `GET /.well-known/matrix/support`
pub async fn support(State(config): State<Arc<Config>>, _: Public<Request>) -> Result<JsonReply, MatrixError> {
    let WellKnownConfig { support_page, support_user, support_email, .. } = &config.well_known;
    let mut document = json!({});
    if let Some(page) = support_page {
        document["support_page"] = page.as_str().into();
    }
    if support_user.is_some() || support_email.is_some() {
        let mut contact = json!({ "role": "m.role.admin" });
        if let Some(user) = support_user {
            contact["matrix_id"] = user.as_str().into();
        }
        if let Some(email) = support_email {
            contact["email_address"] = email.as_str().into();
        }
        document["contacts"] = vec![contact].into();
    }
    if document == json!({}) {
        return Err(absent());
    }
    Ok(JsonReply(document))
}
