use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

/// When a write is acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// When it is on disk.
    #[default]
    Fsync,
    /// When the operating system has it.
    Os,
}

/// One address to listen on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Address and port, as `127.0.0.1:8008` or `[::]:8448`. Port 0 takes a free one.
    pub bind: SocketAddr,
    /// PEM file with the certificate chain. Without it the listener speaks plain HTTP.
    #[serde(default)]
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with the private key of the certificate.
    #[serde(default)]
    pub tls_private_key: Option<PathBuf>,
    /// What is served: "client", "federation", "metrics".
    #[serde(default = "Serve::defaults")]
    pub serves: Vec<Serve>,
    /// Whether a reverse proxy is in front that sets X-Forwarded-For: its last address is then the client's.
    #[serde(default)]
    pub behind_proxy: bool,
}

impl Listener {
    /// One for a reverse proxy or a client on the same machine.
    pub fn defaults() -> Vec<Self> {
        vec![Self::on(SocketAddr::from(([127, 0, 0, 1], 8008)))]
    }

    /// Plain HTTP with the default APIs.
    pub fn on(bind: SocketAddr) -> Self {
        Self { bind, tls_certificate: None, tls_private_key: None, serves: Serve::defaults(), behind_proxy: false }
    }
}

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Serve {
    /// The client-server API with media and well-known documents.
    Client,
    /// The server-server API.
    Federation,
    /// Prometheus metrics under /metrics.
    Metrics,
}

impl Serve {
    fn defaults() -> Vec<Self> {
        vec![Self::Client, Self::Federation]
    }
}

/// What is written to the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Which lines: a level (error, warn, info, debug, trace), or levels per module as "info,room=debug".
    pub filter: String,
    /// "text" or "json".
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info,ruma_state_res=warn".to_owned(), format: LogFormat::Text }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// How much memory is used.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// Megabytes that caches and write buffers share. The process needs up to 100 more.
    pub budget_mb: u64,
}

impl Memory {
    /// Below this the write buffers would be flushed all the time.
    pub const SMALLEST_MB: u64 = 32;
}

impl Default for Memory {
    fn default() -> Self {
        Self { budget_mb: 256 }
    }
}

/// Who is online.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Presence {
    /// Whether users see who of those they share rooms with is online.
    pub enabled: bool,
    /// Whether other servers are told of it as well. It is a large part of the traffic between servers.
    pub federate: bool,
}

impl Default for Presence {
    fn default() -> Self {
        Self { enabled: true, federate: false }
    }
}
