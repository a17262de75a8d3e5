//! The tables of this crate; ids from 0x0100.

use kv::{Stamp, Stamped, Table, TableInfo};
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};

use base::Millis;

/// BLAKE3 of a token; tokens have at least 190 bits of entropy, so no salt is needed.
pub type TokenHash = [u8; 32];

/// Accounts by user id.
pub const USERS: Table<OwnedUserId, UserRow> = Table::new(0x0100, "account.users", 1);
/// PHC strings by user id; absent for accounts without a password.
pub const PASSWORDS: Table<OwnedUserId, String> = Table::new(0x0101, "account.passwords", 1);
/// How many accounts were ever created.
pub const COUNT: Table<(), u64> = Table::new(0x0102, "account.count", 1);
/// Devices.
pub const DEVICES: Table<(OwnedUserId, OwnedDeviceId), DeviceRow> = Table::new(0x0103, "account.devices", 1);
/// When and from where a device was last seen; written rarely and without fsync.
pub const SEEN: Table<(OwnedUserId, OwnedDeviceId), SeenRow> = Table::new(0x0104, "account.seen", 1);
/// The tokens of each device.
pub const SESSIONS: Table<(OwnedUserId, OwnedDeviceId), SessionRow> = Table::new(0x0105, "account.sessions", 1);
/// Access tokens by hash.
pub const ACCESS: Table<TokenHash, AccessRow> = Table::new(0x0106, "account.access_tokens", 1);
/// Refresh tokens by hash.
pub const REFRESH: Table<TokenHash, RefreshRow> = Table::new(0x0107, "account.refresh_tokens", 1);
/// The token that makes the first administrator, in plain text because every start prints it until it is used.
pub const FIRST_ADMIN: Table<(), String> = Table::new(0x0108, "account.first_admin", 1);
/// Secrets of the server by name.
pub const SECRETS: Table<String, [u8; 32]> = Table::new(0x0109, "account.secrets", 1);
/// Profiles as JSON objects.
pub const PROFILES: Table<OwnedUserId, String> = Table::new(0x010A, "account.profiles", 1);
/// Account data by user, room id (empty for global) and type: the content as JSON (empty when
/// it was removed), and when it was set.
pub const ACCOUNT_DATA: Table<(OwnedUserId, String, String), Stamped<String>> =
    Table::new(0x010B, "account.account_data", 1);
/// Which account data changed where in the stream: room id (empty for global) and type.
pub const ACCOUNT_DATA_LOG: Table<(OwnedUserId, Stamp), DataKey> = Table::new(0x010C, "account.account_data_log", 1);
/// Filters as JSON objects by user and id.
pub const FILTERS: Table<(OwnedUserId, String), String> = Table::new(0x010D, "account.filters", 1);
/// OpenID tokens by hash.
pub const OPENID: Table<TokenHash, OneTimeRow> = Table::new(0x010E, "account.openid_tokens", 1);
/// Login tokens by hash.
pub const LOGIN_TOKENS: Table<TokenHash, OneTimeRow> = Table::new(0x010F, "account.login_tokens", 1);
/// Nonces of shared-secret registrations that are used up, and until when they must be remembered.
pub const NONCES: Table<String, Millis> = Table::new(0x0110, "account.used_nonces", 1);
/// Stages completed in user-interactive authentication with several stages, by session.
pub const UIA: Table<String, UiaRow> = Table::new(0x0111, "account.uia", 1);

/// Words of localparts and display names in lower case, with whom they belong to.
pub const NAMES: Table<(String, OwnedUserId), ()> = Table::new(0x0120, "account.names", 1);

/// Every table of this crate.
pub const ALL: &[TableInfo] = &[
    USERS.info(),
    PASSWORDS.info(),
    COUNT.info(),
    DEVICES.info(),
    SEEN.info(),
    SESSIONS.info(),
    ACCESS.info(),
    REFRESH.info(),
    FIRST_ADMIN.info(),
    SECRETS.info(),
    PROFILES.info(),
    ACCOUNT_DATA.info(),
    ACCOUNT_DATA_LOG.info(),
    FILTERS.info(),
    OPENID.info(),
    LOGIN_TOKENS.info(),
    NONCES.info(),
    UIA.info(),
    NAMES.info(),
];

/// What is known of an account besides its password.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UserRow {
    /// When it was created.
    pub created: Millis,
    /// May administrate the server.
    pub admin: bool,
    /// Made by guest registration.
    pub guest: bool,
    /// May not do anything but log out (`M_USER_LOCKED`).
    pub locked: bool,
    /// May read but not send (`M_USER_SUSPENDED`).
    pub suspended: bool,
    /// Is gone for good; the name stays taken.
    pub deactivated: bool,
    /// Asked at deactivation that new members do not see its messages.
    pub erased: bool,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRow {
    /// When it first logged in.
    pub created: Millis,
    /// What its user calls it.
    pub display_name: Option<String>,
}

/// The last request of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRow {
    /// When.
    pub at: Millis,
    /// From which address.
    pub ip: String,
}

/// An access token and the refresh token given with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenPair {
    /// Hash of the access token.
    pub access: TokenHash,
    /// Hash of the refresh token.
    pub refresh: Option<TokenHash>,
}

/// The tokens of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Given last.
    pub current: TokenPair,
    /// Given before, until the current ones are used.
    pub previous: Option<TokenPair>,
}

/// Whose an access token is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRow {
    /// The account.
    pub user: OwnedUserId,
    /// Its device.
    pub device: OwnedDeviceId,
    /// When it stops working; `None` for never.
    pub expires: Option<Millis>,
    /// It came from a refresh and was not used yet: its first use retires the tokens before it.
    pub fresh: bool,
}

/// Whose a refresh token is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshRow {
    /// The account.
    pub user: OwnedUserId,
    /// Its device.
    pub device: OwnedDeviceId,
    /// When it stops working; `None` for never.
    pub expires: Option<Millis>,
}

/// Whose a token for one purpose is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneTimeRow {
    /// The account.
    pub user: OwnedUserId,
    /// When it stops working.
    pub expires: Millis,
}

/// Names a piece of account data.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DataKey {
    /// The room's id; empty for global account data.
    pub room: String,
    /// The event type.
    pub kind: String,
}

/// What was completed in a session of user-interactive authentication.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UiaRow {
    /// Completed stages by type.
    pub completed: Vec<String>,
    /// What the request asked for when the first stage was completed.
    pub bound: TokenHash,
    /// When the session ends.
    pub expires: Millis,
    /// The registration token that was accepted.
    pub token: Option<String>,
    /// Whose password was given.
    pub user: Option<OwnedUserId>,
}

kv::value!(UserRow, DeviceRow, SeenRow, SessionRow, AccessRow, RefreshRow, OneTimeRow, DataKey, UiaRow);
