use std::{path::PathBuf, time::Duration};

/// How long a TCP and TLS connection may take to be made, all addresses of a name together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a name may take to be resolved.
pub const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// The time limit of a request that names none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the other side may say nothing while its answer is read.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Redirects followed for one request.
pub const MAX_REDIRECTS: usize = 10;
/// The body's limit of a request that names none, in bytes.
pub(crate) const DEFAULT_MAX_BODY: usize = 1 << 20;
/// Addresses of one name that are tried.
pub(crate) const MAX_ADDRESSES: usize = 16;
/// Idle connections kept per destination, and how long: less than most servers keep them, so that few requests meet a
/// connection that is being closed.
pub(crate) const POOL: (usize, Duration) = (4, Duration::from_secs(25));

/// What may be connected to and who is believed.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// PEM files with authorities that are trusted besides the system's.
    pub extra_root_certificates: Vec<PathBuf>,
    /// Whether addresses that are not public may be connected to.
    pub allow_private_addresses: bool,
    /// Whether any certificate is believed.
    pub accept_invalid_certificates: bool,
}
