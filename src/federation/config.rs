use std::path::PathBuf;

use ruma::OwnedServerName;
use serde::{Deserialize, Serialize};

/// Other servers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether other servers are talked to.
    pub enabled: bool,
    /// Servers that are asked for the keys of servers which cannot be reached.
    pub trusted_key_servers: Vec<OwnedServerName>,
    /// Servers that are talked to and listened to, as names with * and ?. An empty list means all.
    pub allowed_servers: Vec<String>,
    /// Servers that are neither talked to nor listened to, as names with * and ?. This list wins.
    pub denied_servers: Vec<String>,
    /// Whether other servers are told what users call their devices.
    pub tell_device_names: bool,
    /// PEM files with authorities that are trusted besides the system's.
    pub extra_root_certificates: Vec<PathBuf>,
    /// Whether servers may be reached under private addresses. For tests: it opens the internal network.
    pub allow_private_addresses: bool,
    /// Whether certificates of other servers go unchecked. For tests only.
    pub accept_invalid_certificates: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            trusted_key_servers: vec![ruma::owned_server_name!("matrix.org")],
            allowed_servers: Vec::new(),
            denied_servers: Vec::new(),
            tell_device_names: false,
            extra_root_certificates: Vec::new(),
            allow_private_addresses: false,
            accept_invalid_certificates: false,
        }
    }
}

impl Config {
    /// The part that is the HTTP client's.
    #[must_use]
    pub fn outbound(&self) -> outbound::Config {
        outbound::Config {
            extra_root_certificates: self.extra_root_certificates.clone(),
            allow_private_addresses: self.allow_private_addresses,
            accept_invalid_certificates: self.accept_invalid_certificates,
        }
    }
}
