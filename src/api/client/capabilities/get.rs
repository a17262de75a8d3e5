use axum::extract::State;
use media::Previews;
use room::Rooms;
use ruma::api::client::discovery::get_capabilities::v3::Request;
use serde_json::{Map, json};

use crate::{Authed, JsonReply, MatrixError};

/// `GET /_matrix/client/v3/capabilities`
///
/// Written out: ruma's type leaves out what is as clients assume, and some clients do not assume it.
pub async fn get(
    State(rooms): State<Rooms>,
    State(previews): State<Previews>,
    Authed { account, .. }: Authed<Request>,
) -> Result<JsonReply, MatrixError> {
    let versions: Map<_, _> =
        event::version::SUPPORTED.iter().map(|version| (version.to_string(), "stable".into())).collect();
    let profile = json!({ "enabled": !account.suspended });
    let (max_delay_ms, max_scheduled) = rooms.delay_limits();
    let capabilities = json!({
        "m.change_password": { "enabled": true },
        "m.room_versions": { "default": rooms.default_version(), "available": versions },
        "m.set_displayname": profile,
        "m.set_avatar_url": profile,
        "m.profile_fields": profile,
        "m.3pid_changes": { "enabled": false },
        "m.get_login_token": { "enabled": true },
        "org.matrix.msc4140.delayed_events": { "max_delay_ms": max_delay_ms, "max_scheduled": max_scheduled },
        "io.element.msc4452.preview_url": { "enabled": previews.are_on() },
        "m.account_moderation": { "suspend": account.admin, "lock": account.admin },
    });
    Ok(JsonReply(json!({ "capabilities": capabilities })))
}
