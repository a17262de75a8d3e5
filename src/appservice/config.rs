use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Bridges and other programs that act for many users: application services.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Registration files (YAML), as bridges write them; a directory stands for every .yaml and .yml file in it. They
    /// are read at the start: restart the server after a change.
    pub registrations: Vec<PathBuf>,
}
