//! Token buckets per class and caller, in bounded memory.
//!
//! A bucket is one number: the time at which it will be full again. An absent bucket is full, so what is full is
//! forgotten, and nothing is lost by it.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use base::{Budget, Clock, Share, Turn, Turns};
use parking_lot::{Mutex, MutexGuard};
use ruma::{OwnedServerName, ServerName, UserId};

use crate::{MatrixError, RateLimit, RateLimitsConfig};

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Sending an event.
    Message,
    /// Logging in.
    Login,
    /// Registering an account.
    Registration,
    /// Checking a registration token.
    RegistrationToken,
    /// Joining a room, by user.
    Join,
    /// Joining a room by other servers, by user.
    JoinRemote,
    /// Joining a room, by room.
    JoinPerRoom,
    /// Inviting, by room.
    InvitePerRoom,
    /// Inviting, by who invites.
    Invite,
    /// Creating a room.
    CreateRoom,
    /// Reporting content.
    Report,
    /// Creating media.
    CreateMedia,
    /// Searching messages.
    Search,
    /// Searching users.
    UserDirectory,
    /// Changing a delayed event.
    DelayedEvent,
    /// Asking for a preview of a link.
    Preview,
    /// Setting one's presence.
    Presence,
    /// Questions to other servers on behalf of somebody, by user or address.
    Lookup,
    /// Invites of another server, by server.
    ServerInvite,
    /// Inviting, by who is invited.
    Invited,
    /// Anything that another server asks, by server.
    Federation,
    /// Requests of servers whose keys have to be fetched first, and questions about the keys of others, by address.
    UnknownServer,
}

/// Whose bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// An address; of IPv6 the network of 64 bits that one customer has.
    Ip(IpAddr),
    /// An account, room or another name.
    Name(String),
}

impl Key {
    /// The bucket of `user`.
    pub fn user(user: &UserId) -> Self {
        Self::Name(user.to_string())
    }

    fn widened(self) -> Self {
        match self {
            Self::Ip(ip) => Self::Ip(widened(ip)),
            other => other,
        }
    }
}

fn widened(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & (u128::MAX << 64)).into()),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// When a server with too many requests at once may try again.
pub(crate) const CROWDED: Duration = Duration::from_secs(1);
/// Bytes of bodies that are held at once of requests without a token: they are read before it is known who sent them.
const BODIES: usize = 256 << 20;
/// The same for one address.
const BODIES_OF_ONE: usize = 64 << 20;
/// Bytes of answers to other servers that are held at once until they are read.
const ANSWERS: usize = 512 << 20;
/// The same for one address.
const ANSWERS_OF_ONE: usize = 256 << 20;
/// Locks that share the buckets.
const SHARDS: usize = 16;
/// Buckets kept per shard; at about 100 bytes each all shards together stay below 10 MB.
const BUCKETS_PER_SHARD: usize = 5_000;

/// All buckets. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RateLimits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: RateLimitsConfig,
    clock: Clock,
    hasher: RandomState,
    shards: [Mutex<HashMap<(Class, Key), Bucket>>; SHARDS],
    turns: Turns<OwnedServerName>,
    bodies: Budget<IpAddr>,
    answers: Budget<IpAddr>,
}

/// When the bucket is full again, in microseconds since the epoch.
type Bucket = u64;

impl RateLimits {
    /// Buckets that are all full.
    pub fn new(config: RateLimitsConfig, clock: Clock) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        let turns = Turns::new(config.federation_at_once, config.federation_waiting);
        let (bodies, answers) = (Budget::new(BODIES, BODIES_OF_ONE), Budget::new(ANSWERS, ANSWERS_OF_ONE));
        Self(Arc::new(Inner { config, clock, hasher: RandomState::new(), shards, turns, bodies, answers }))
    }

    /// Takes one token from the bucket of `key`.
    ///
    /// # Errors
    /// 429 with the time until the next token if the bucket is empty; nothing is taken then.
    pub fn take(&self, class: Class, key: Key) -> Result<(), MatrixError> {
        self.take_many(class, key, 1)
    }

    /// Takes `count` tokens from the bucket of `key`, if it has one: the rest is owed.
    ///
    /// # Errors
    /// As [`RateLimits::take`].
    pub fn take_many(&self, class: Class, key: Key, count: usize) -> Result<(), MatrixError> {
        if !self.0.config.enabled || count == 0 {
            return Ok(());
        }
        let per_token = per_token(self.limit(class));
        let more = per_token.saturating_mul(count as u64 - 1);
        let now = self.0.clock.now().saturating_mul(1000);
        let key = (class, key.widened());
        let Some(mut buckets) = self.shard(&key) else { return Ok(()) };
        let full_at = buckets.get(&key).copied().unwrap_or(0).max(now);
        match fill(full_at, now, self.limit(class)) {
            Ok(full_at) => {
                make_room(&mut buckets, now);
                buckets.insert(key, full_at.saturating_add(more));
                Ok(())
            }
            Err(wait) => Err(MatrixError::limited(wait)),
        }
    }

    /// Takes a token for a question to `asked` on behalf of somebody; none for what this server, `own`, knows itself.
    ///
    /// # Errors
    /// As [`RateLimits::take`].
    pub fn take_lookup(&self, own: &ServerName, asked: &ServerName, whose: Key) -> Result<(), MatrixError> {
        if own == asked { Ok(()) } else { self.take(Class::Lookup, whose) }
    }

    fn shard(&self, key: &(Class, Key)) -> Option<MutexGuard<'_, HashMap<(Class, Key), Bucket>>> {
        let index = usize::try_from(self.0.hasher.hash_one(key)).unwrap_or_default() % SHARDS;
        Some(self.0.shards.get(index)?.lock())
    }

    /// What is held of the bodies that come from an address.
    pub(crate) fn body_of(&self, ip: IpAddr) -> Share<IpAddr> {
        self.0.bodies.share(widened(ip))
    }

    /// What is held of the answers to an address.
    pub(crate) fn answer_to(&self, ip: IpAddr) -> Share<IpAddr> {
        self.0.answers.share(widened(ip))
    }

    /// Waits until one more request of `server` may be answered.
    ///
    /// # Errors
    /// 429 when too many of its requests wait already.
    pub(crate) async fn turn(&self, server: &ServerName) -> Result<Option<Turn<OwnedServerName>>, MatrixError> {
        if !self.0.config.enabled {
            return Ok(None);
        }
        let turn = self.0.turns.of(server.to_owned()).await;
        turn.map(Some).ok_or_else(|| MatrixError::limited(CROWDED))
    }

    fn limit(&self, class: Class) -> RateLimit {
        let config = &self.0.config;
        match class {
            Class::Message => config.message,
            Class::Login => config.login,
            Class::Registration => config.registration,
            Class::RegistrationToken => config.registration_token,
            Class::Join => config.join,
            Class::JoinRemote => config.join_remote,
            Class::JoinPerRoom => config.join_per_room,
            Class::InvitePerRoom => config.invite_per_room,
            Class::Invite => config.invite,
            Class::CreateRoom => config.create_room,
            Class::Report => config.report,
            Class::CreateMedia => config.create_media,
            Class::Search => config.search,
            Class::UserDirectory => config.user_directory,
            Class::DelayedEvent => config.delayed_event,
            Class::Preview => config.preview,
            Class::Presence => config.presence,
            Class::Lookup => config.lookup,
            Class::ServerInvite => config.server_invite,
            Class::Invited => config.invited,
            Class::Federation => config.federation,
            Class::UnknownServer => config.unknown_server,
        }
    }
}

/// Microseconds until a bucket has one more token. A rate of zero means never again within a day.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
fn per_token(limit: RateLimit) -> u64 {
    (1_000_000.0 / limit.per_second.max(1.0 / 86_400.0)) as u64
}

/// When a bucket that is full at `full_at` is full after one more token was taken, or how long to wait for it.
fn fill(full_at: u64, now: u64, limit: RateLimit) -> Result<u64, Duration> {
    let per_token = per_token(limit);
    let taken = full_at.saturating_add(per_token);
    let deepest = now.saturating_add(per_token.saturating_mul(u64::from(limit.burst.max(1))));
    if taken > deepest { Err(Duration::from_micros(taken - deepest)) } else { Ok(taken) }
}

/// Forgets full buckets, and if that is not enough the one that is full the soonest.
fn make_room(buckets: &mut HashMap<(Class, Key), Bucket>, now: u64) {
    if buckets.len() < BUCKETS_PER_SHARD {
        return;
    }
    buckets.retain(|_, full_at| *full_at > now);
    if buckets.len() >= BUCKETS_PER_SHARD
        && let Some(fullest) = buckets.iter().min_by_key(|(_, full_at)| **full_at).map(|(key, _)| key.clone())
    {
        buckets.remove(&fullest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(config: RateLimitsConfig) -> (RateLimits, Clock) {
        let clock = Clock::fixed(1_000_000);
        (RateLimits::new(config, clock.clone()), clock)
    }

    fn alice() -> Key {
        Key::Name("@alice:example.org".to_owned())
    }

    #[test]
    fn a_burst_passes_and_then_one_per_period() {
        let (limits, clock) = limits(RateLimitsConfig::default());
        for _ in 0..10 {
            limits.take(Class::Message, alice()).unwrap();
        }
        let error = limits.take(Class::Message, alice()).unwrap_err();
        assert_eq!(error.status(), http::StatusCode::TOO_MANY_REQUESTS);
        clock.advance(5_000);
        limits.take(Class::Message, alice()).unwrap();
        assert!(limits.take(Class::Message, alice()).is_err());
    }

    #[test]
    fn callers_and_classes_do_not_share_buckets() {
        let (limits, _) = limits(RateLimitsConfig::default());
        for _ in 0..10 {
            limits.take(Class::Message, alice()).unwrap();
        }
        limits.take(Class::Join, alice()).unwrap();
        limits.take(Class::Message, Key::Name("@bob:example.org".to_owned())).unwrap();
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_bucket() {
        let (limits, _) = limits(RateLimitsConfig::default());
        for host in 0..5 {
            let ip = format!("2001:db8::{host}").parse().unwrap();
            limits.take(Class::Login, Key::Ip(ip)).unwrap();
        }
        assert!(limits.take(Class::Login, Key::Ip("2001:db8::77".parse().unwrap())).is_err());
    }

    #[test]
    fn nothing_is_limited_when_disabled() {
        let (limits, _) = limits(RateLimitsConfig { enabled: false, ..Default::default() });
        for _ in 0..1000 {
            limits.take(Class::Login, alice()).unwrap();
        }
    }

    #[test]
    fn who_takes_many_at_once_owes_them() {
        let (limits, clock) = limits(RateLimitsConfig::default());
        limits.take_many(Class::Message, alice(), 12).unwrap();
        assert!(limits.take(Class::Message, alice()).is_err());
        clock.advance(10_000);
        assert!(limits.take(Class::Message, alice()).is_err());
        clock.advance(5_000);
        limits.take(Class::Message, alice()).unwrap();
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let (limits, _) = limits(RateLimitsConfig::default());
        for n in 0..SHARDS * BUCKETS_PER_SHARD + 5_000 {
            limits.take(Class::Message, Key::Name(n.to_string())).unwrap();
        }
        assert!(limits.0.shards.iter().all(|shard| shard.lock().len() <= BUCKETS_PER_SHARD));
    }
}
