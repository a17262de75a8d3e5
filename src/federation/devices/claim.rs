//! One-time keys of users here and elsewhere. Client-server API, `POST /keys/claim`.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use futures::{StreamExt, stream};
use ruma::{OwnedDeviceId, OwnedServerName, OwnedUserId};

use super::{
    RemoteDevices, Result,
    ask::{Claimed, ClaimedKeys},
    query::AT_ONCE,
};
use crate::CallError;

/// Keys that were claimed, and the servers that did not answer.
#[derive(Debug, Default)]
pub struct Claims {
    /// One-time keys by user, device and id.
    pub keys: ClaimedKeys,
    /// Why servers did not answer.
    pub failures: BTreeMap<OwnedServerName, CallError>,
}

impl RemoteDevices {
    /// Claims one key of each device of `wanted`, each other server being asked for at most `timeout`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn claim(
        &self,
        wanted: BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, String>>,
        timeout: Duration,
    ) -> Result<Claims> {
        let mut claims = Claims::default();
        let mut ours = Vec::new();
        let mut theirs: HashMap<OwnedServerName, Claimed> = HashMap::new();
        for (user, devices) in wanted {
            if self.is_ours(&user) {
                ours.extend(devices.into_iter().map(|(device, algorithm)| (user.clone(), device, algorithm)));
            } else {
                theirs.entry(user.server_name().to_owned()).or_default().insert(user, devices);
            }
        }
        for key in self.keys.claim(&ours).await? {
            claims.keys.entry(key.user).or_default().entry(key.device).or_default().insert(key.id, key.key);
        }
        let asking = theirs.into_iter().map(|(server, wanted)| async move {
            let asked = tokio::time::timeout(timeout, self.servers.claim(&server, &wanted, timeout)).await;
            let told = asked.unwrap_or(Err(CallError::Timeout));
            (told.map(|told| only(told, &wanted)), server)
        });
        let mut asking = stream::iter(asking).buffer_unordered(AT_ONCE);
        while let Some((told, server)) = asking.next().await {
            match told {
                Ok(keys) => claims.keys.extend(keys),
                Err(error) => {
                    tracing::debug!(%server, %error, "one-time keys were not told");
                    claims.failures.insert(server, error);
                }
            }
        }
        Ok(claims)
    }
}

/// Of what was told, what was asked for.
fn only(told: ClaimedKeys, wanted: &Claimed) -> ClaimedKeys {
    let mut keys = ClaimedKeys::new();
    for (user, devices) in told {
        let Some(asked) = wanted.get(&user) else { continue };
        let devices = devices.into_iter().filter(|(device, _)| asked.contains_key(device));
        keys.insert(user, devices.collect());
    }
    keys
}
