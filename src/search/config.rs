use serde::{Deserialize, Serialize};

/// `[search]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether clients may search the messages of rooms that are not encrypted. The index is about as large as their
    /// text; switched on later, it is made from all that was said since.
    pub enabled: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { enabled: true }
    }
}
