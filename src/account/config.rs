use serde::{Deserialize, Serialize};

/// Everything that can be set about accounts; each field is a section of its own.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[registration]`
    pub registration: RegistrationConfig,
    /// `[sessions]`
    pub sessions: SessionsConfig,
    /// `[passwords]`
    pub passwords: PasswordsConfig,
    /// `[turn]`
    pub turn: TurnConfig,
}

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationMode {
    /// Nobody but the first administrator, by the token printed at the first start.
    #[default]
    Closed,
    /// Who knows the token.
    Token,
    /// Anybody.
    Open,
}

/// `[registration]`: who may create an account.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationConfig {
    /// "closed": only the first administrator, with the token printed at the first start; "token": who knows
    /// `token`; "open": anybody.
    pub mode: RegistrationMode,
    /// The token for mode "token": 1 to 64 characters of A-Z a-z 0-9 . _ ~ -
    pub token: Option<String>,
    /// Lets programs that know it create accounts, administrators too, through /_synapse/admin/v1/register.
    pub shared_secret: Option<String>,
    /// Names that nobody can register, as "admin" or "support".
    pub reserved_names: Vec<String>,
}

impl std::fmt::Debug for RegistrationConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistrationConfig").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// `[sessions]`: how long tokens live.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionsConfig {
    /// Seconds that an access token lives when its client can refresh it; others live until log-out.
    pub access_token_seconds: u64,
    /// Seconds that an unused refresh token lives; 0 for as long as its device.
    pub refresh_token_seconds: u64,
    /// Seconds between two notes of when and from where a device was seen.
    pub last_seen_seconds: u64,
    /// Seconds that a client has to complete user-interactive authentication.
    pub interactive_auth_seconds: u64,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            access_token_seconds: 60 * 60,
            refresh_token_seconds: 0,
            last_seen_seconds: 5 * 60,
            interactive_auth_seconds: 60 * 60,
        }
    }
}

/// `[passwords]`: how passwords are checked and hashed (argon2id).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordsConfig {
    /// Fewest characters of a new password.
    pub minimum_length: usize,
    /// Memory that one hash takes, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub iterations: u32,
}

/// Cost as OWASP's "Password Storage Cheat Sheet" recommends: 19 MiB, two passes, one lane.
impl Default for PasswordsConfig {
    fn default() -> Self {
        Self { minimum_length: 1, memory_kib: 19 * 1024, iterations: 2 }
    }
}

/// `[turn]`: the TURN servers by which calls between two people get through firewalls.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TurnConfig {
    /// Where they are, as "turn:turn.example.org?transport=udp"; without one, clients do without.
    pub uris: Vec<String>,
    /// What this server and they know, as coturn's static-auth-secret: each user gets a password for a while.
    pub shared_secret: Option<String>,
    /// Without a shared secret: the name that everybody uses there.
    pub username: Option<String>,
    /// Without a shared secret: the password that everybody uses there.
    pub password: Option<String>,
    /// Seconds after which a client asks again.
    pub lifetime_seconds: u64,
}

impl Default for TurnConfig {
    fn default() -> Self {
        Self { uris: Vec::new(), shared_secret: None, username: None, password: None, lifetime_seconds: 60 * 60 }
    }
}

impl std::fmt::Debug for TurnConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurnConfig").field("uris", &self.uris).finish_non_exhaustive()
    }
}
