use serde::{Deserialize, Serialize};

/// `[server_notices]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoticesConfig {
    /// The name before the colon of the account that sends them, such as "notices"; it is created if it is not there.
    /// Without it there are no server notices.
    pub localpart: Option<String>,
    /// How that account is shown.
    pub display_name: String,
    /// How the rooms are called that users get them in.
    pub room_name: String,
}

impl Default for NoticesConfig {
    fn default() -> Self {
        Self { localpart: None, display_name: "Server notices".into(), room_name: "Server notices".into() }
    }
}
