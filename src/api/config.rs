use ruma::{OwnedServerName, OwnedUserId};
use serde::{Deserialize, Serialize};

/// Limits of the HTTP edge.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Largest request body in bytes; uploads of media have a limit of their own.
    pub max_body_bytes: usize,
    /// What other programs are told that know only the server's name.
    #[serde(skip)]
    pub well_known: WellKnownConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_body_bytes: 10 * 1024 * 1024, well_known: WellKnownConfig::default() }
    }
}

/// What `/.well-known/matrix/...` says; a document without any of its settings is not served.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WellKnownConfig {
    /// Where clients reach this server, as "https://matrix.example.org".
    pub client: Option<String>,
    /// Where other servers reach this server, as "matrix.example.org:443".
    pub server: Option<OwnedServerName>,
    /// A page with help for users.
    pub support_page: Option<String>,
    /// Who administrates the server, as a Matrix user id.
    pub support_user: Option<OwnedUserId>,
    /// The mail address of who administrates the server.
    pub support_email: Option<String>,
}

/// How often one caller may do one kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Times per second in the long run.
    pub per_second: f64,
    /// Times at once after a pause.
    pub burst: u32,
}

/// Token buckets, each filled with `per_second` and holding at most `burst`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitsConfig {
    /// Whether anything is limited at all.
    pub enabled: bool,
    /// Events sent, per user.
    pub message: RateLimit,
    /// Log-ins, per address and per account.
    pub login: RateLimit,
    /// Accounts registered, per address.
    pub registration: RateLimit,
    /// Checks of a registration token, per address.
    pub registration_token: RateLimit,
    /// Joins of rooms, per user.
    pub join: RateLimit,
    /// Joins and knocks that go by other servers, because nobody here is in the room, per user.
    pub join_remote: RateLimit,
    /// Joins of one room by anybody.
    pub join_per_room: RateLimit,
    /// Invites into one room by anybody.
    pub invite_per_room: RateLimit,
    /// Invites sent by one user.
    pub invite: RateLimit,
    /// Rooms created, per user.
    pub create_room: RateLimit,
    /// Reports of content, per user.
    pub report: RateLimit,
    /// Media created, per user.
    pub create_media: RateLimit,
    /// Searches, per user.
    pub search: RateLimit,
    /// Searches for users, per user.
    pub user_directory: RateLimit,
    /// Changes of delayed events, as calls make them all the time, per user or, without one, per address.
    pub delayed_event: RateLimit,
    /// Asking for previews of links.
    pub preview: RateLimit,
    /// Presence set, per user.
    pub presence: RateLimit,
    /// Questions to other servers on behalf of a user, such as for profiles, directories, keys and media, per user or,
    /// without one, per address.
    pub lookup: RateLimit,
    /// Invites that another server sends, per server.
    pub server_invite: RateLimit,
    /// Invites that a user gets, from here and from other servers, per user.
    pub invited: RateLimit,
    /// Requests of another server, per server.
    pub federation: RateLimit,
    /// Requests of one other server that are answered at the same time.
    pub federation_at_once: usize,
    /// Requests of one other server that wait for their turn; further ones are refused.
    pub federation_waiting: usize,
    /// Requests of servers that were not heard of before and questions about the keys of others, per address.
    pub unknown_server: RateLimit,
}

/// Synapse's defaults, which clients are used to; for other servers our own.
impl Default for RateLimitsConfig {
    fn default() -> Self {
        let limit = |per_second, burst| RateLimit { per_second, burst };
        Self {
            enabled: true,
            message: limit(0.2, 10),
            login: limit(0.003, 5),
            registration: limit(0.17, 3),
            registration_token: limit(0.1, 5),
            join: limit(0.1, 10),
            join_remote: limit(0.01, 10),
            join_per_room: limit(1.0, 10),
            invite_per_room: limit(0.3, 10),
            invite: limit(0.3, 10),
            create_room: limit(0.016, 10),
            report: limit(1.0, 5),
            create_media: limit(10.0, 50),
            search: limit(0.5, 20),
            user_directory: limit(0.016, 200),
            delayed_event: limit(1.0, 5),
            preview: limit(2.0, 30),
            presence: limit(0.1, 1),
            lookup: limit(20.0, 400),
            server_invite: limit(0.3, 200),
            invited: limit(0.02, 20),
            federation: limit(50.0, 500),
            federation_at_once: 10,
            federation_waiting: 50,
            unknown_server: limit(5.0, 100),
        }
    }
}
