//! The configuration: a TOML file, overridden by the environment, without room for typing errors.

mod environment;
mod explain;
mod sections;

use std::path::{Path, PathBuf};

use ruma::OwnedServerName;
use serde::{Deserialize, Serialize};

pub use sections::{Durability, Listener, Log, LogFormat, Memory, Presence, Serve};

/// Settings of the whole server.
///
/// Every key can be overridden by an environment variable: HEARTH_ and the key in capitals, with two underscores
/// between section and key: HEARTH_REGISTRATION__MODE=open.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The part after the colon in user names. It can never be changed later.
    pub server_name: OwnedServerName,
    /// Where the database and media are kept.
    pub data_dir: PathBuf,
    /// When a write is acknowledged: "fsync" when it is on disk, "os" when the operating system has it (a power
    /// loss may then undo what was acknowledged within the last seconds).
    #[serde(default)]
    pub durability: Durability,
    /// Where to listen.
    #[serde(default = "Listener::defaults")]
    pub listeners: Vec<Listener>,
    /// What is written to the log.
    #[serde(default)]
    pub log: Log,
    /// How much memory is used.
    #[serde(default)]
    pub memory: Memory,
    /// Limits of the HTTP edge.
    #[serde(default)]
    pub http: api::Config,
    /// What other programs are told that know only the server's name: /.well-known/matrix. A document without any of
    /// its settings is not served.
    #[serde(default)]
    pub well_known: api::WellKnownConfig,
    /// How often one caller may do one kind of thing.
    #[serde(default)]
    pub rate_limits: api::RateLimitsConfig,
    /// Who may create an account.
    #[serde(default)]
    pub registration: account::RegistrationConfig,
    /// How long tokens live.
    #[serde(default)]
    pub sessions: account::SessionsConfig,
    /// How passwords are checked and hashed (argon2id).
    #[serde(default)]
    pub passwords: account::PasswordsConfig,
    /// The TURN servers by which calls between two people get through firewalls.
    #[serde(default)]
    pub turn: account::TurnConfig,
    /// Rooms.
    #[serde(default)]
    pub rooms: room::Config,
    /// What may be uploaded and how thumbnails are made.
    #[serde(default)]
    pub media: media::Config,
    /// Who is online.
    #[serde(default)]
    pub presence: Presence,
    /// Other servers.
    #[serde(default)]
    pub federation: federation::Config,
    /// Bridges and other programs that act for many users: application services.
    #[serde(default)]
    pub appservices: appservice::Config,
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {cause}", path = .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not TOML: {cause}", path = .path.display())]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Where and why.
        cause: toml::de::Error,
    },
    /// A key is unknown, missing or has a value of the wrong kind.
    #[error("{origin}: {reason}")]
    Key {
        /// File or environment variable.
        origin: String,
        /// Key and reason.
        reason: String,
    },
    /// Keys contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

impl Config {
    /// Reads `path` and the `HEARTH_…` variables among `environment`.
    ///
    /// # Errors
    /// With the key and what to do about it.
    pub fn load(path: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
        let file = text.parse().map_err(|cause| ConfigError::Syntax { path: path.to_owned(), cause })?;
        Self::from_table(file, &path.display().to_string(), environment)
    }

    /// Reads a table that came from `origin`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_table(
        mut table: toml::Table,
        origin: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let overrides = environment::overrides(environment);
        for over in &overrides {
            over.apply(&mut table, over.value.clone());
        }
        let config = match Self::decode(table.clone()) {
            Ok(config) => config,
            Err(error) => Self::decode_as_text(table, &overrides, origin, &error)?,
        };
        config.check()?;
        Ok(config)
    }

    /// What the HTTP edge is configured by.
    pub fn http(&self) -> api::Config {
        api::Config { well_known: self.well_known.clone(), ..self.http.clone() }
    }

    /// What the account crate is configured by.
    pub fn accounts(&self) -> account::Config {
        account::Config {
            registration: self.registration.clone(),
            sessions: self.sessions.clone(),
            passwords: self.passwords.clone(),
            turn: self.turn.clone(),
        }
    }

    fn decode(table: toml::Table) -> Result<Self, explain::Located> {
        serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(explain::Located::from)
    }

    /// Once more with the variable at fault taken as text: a token of digits looks like a number.
    fn decode_as_text(
        mut table: toml::Table,
        overrides: &[environment::Override],
        origin: &str,
        error: &explain::Located,
    ) -> Result<Self, ConfigError> {
        let Some(over) = overrides.iter().find(|over| over.is_about(&error.path)) else {
            return Err(ConfigError::Key { origin: origin.to_owned(), reason: error.explain() });
        };
        over.apply(&mut table, toml::Value::String(over.text.clone()));
        Self::decode(table).map_err(|error| ConfigError::Key { origin: over.variable.clone(), reason: error.explain() })
    }

    fn check(&self) -> Result<(), ConfigError> {
        let contradiction = |text: String| Err(ConfigError::Contradiction(text));
        if self.listeners.is_empty() {
            return contradiction("listeners: at least one is needed".to_owned());
        }
        for listener in &self.listeners {
            if listener.tls_certificate.is_some() != listener.tls_private_key.is_some() {
                return contradiction(format!(
                    "listener {}: tls_certificate and tls_private_key belong together",
                    listener.bind
                ));
            }
        }
        if self.memory.budget_mb < Memory::SMALLEST_MB {
            return contradiction(format!("memory.budget_mb: at least {} is needed", Memory::SMALLEST_MB));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
