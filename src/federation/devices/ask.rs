//! What is asked of other servers. Server-server API, "End-to-End Encryption" and "Device Management".

use std::{collections::BTreeMap, time::Duration};

use futures::future::{BoxFuture, FutureExt};
use ruma::{OwnedDeviceId, OwnedUserId, ServerName, UserId};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{Call, CallError, Client};

/// Bytes of an answer about some users' keys.
const MAX_ANSWER: usize = 16 << 20;

/// What is told of users' keys; members that are missing or of another kind are left out one by one.
#[derive(Debug, Default, Deserialize)]
pub struct Queried {
    /// Identity keys.
    #[serde(default)]
    pub device_keys: BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, Box<RawValue>>>,
    /// Master keys.
    #[serde(default)]
    pub master_keys: BTreeMap<OwnedUserId, Box<RawValue>>,
    /// Self-signing keys.
    #[serde(default)]
    pub self_signing_keys: BTreeMap<OwnedUserId, Box<RawValue>>,
}

/// One-time keys by user, device and id.
pub type ClaimedKeys = BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, BTreeMap<String, Box<RawValue>>>>;

/// What is claimed: algorithms by user and device.
pub type Claimed = BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, String>>;

/// The whole list of a user's devices.
#[derive(Debug, Deserialize)]
pub struct UserDevices {
    /// Its number.
    pub stream_id: u64,
    /// The devices.
    pub devices: Vec<UserDevice>,
    /// The master key.
    pub master_key: Option<Box<RawValue>>,
    /// The self-signing key.
    pub self_signing_key: Option<Box<RawValue>>,
}

/// One device of [`UserDevices`].
#[derive(Debug, Deserialize)]
pub struct UserDevice {
    /// Its id.
    pub device_id: OwnedDeviceId,
    /// Its keys, if it has any.
    pub keys: Option<Box<RawValue>>,
    /// What its user calls it, if we may know.
    pub device_display_name: Option<String>,
}

#[derive(Deserialize)]
struct ClaimAnswer {
    #[serde(default)]
    one_time_keys: ClaimedKeys,
}

/// Asks other servers about their users' keys; tests have one that knows the answers.
pub trait AskKeys: std::fmt::Debug + Send + Sync {
    /// The keys of users.
    fn query<'a>(
        &'a self,
        server: &'a ServerName,
        users: &'a [OwnedUserId],
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Queried, CallError>>;

    /// One-time keys.
    fn claim<'a>(
        &'a self,
        server: &'a ServerName,
        wanted: &'a Claimed,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<ClaimedKeys, CallError>>;

    /// The whole list of a user's devices. Not asked while the server fails.
    fn devices<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<UserDevices, CallError>>;
}

impl AskKeys for Client {
    fn query<'a>(
        &'a self,
        server: &'a ServerName,
        users: &'a [OwnedUserId],
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Queried, CallError>> {
        async move {
            let wanted: BTreeMap<_, [(); 0]> = users.iter().map(|user| (user, [])).collect();
            let body = json!({ "device_keys": wanted }).to_string();
            let call = Call::post("/_matrix/federation/v1/user/keys/query", body);
            self.call(server, call.timeout(timeout).max_bytes(MAX_ANSWER)).await?.json()
        }
        .boxed()
    }

    fn claim<'a>(
        &'a self,
        server: &'a ServerName,
        wanted: &'a Claimed,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<ClaimedKeys, CallError>> {
        async move {
            let body = json!({ "one_time_keys": wanted }).to_string();
            let call = Call::post("/_matrix/federation/v1/user/keys/claim", body);
            let answer = self.call(server, call.timeout(timeout).max_bytes(MAX_ANSWER)).await?;
            Ok(answer.json::<ClaimAnswer>()?.one_time_keys)
        }
        .boxed()
    }

    fn devices<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<UserDevices, CallError>> {
        async move {
            let path = format!("/_matrix/federation/v1/user/devices/{}", escaped(user.as_str()));
            self.call(user.server_name(), Call::get(path).max_bytes(MAX_ANSWER)).await?.json()
        }
        .boxed()
    }
}

/// `text` as one segment of a path.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
