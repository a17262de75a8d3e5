//! Messages to devices of users here and elsewhere. Client-server API, "Send-to-Device messaging".

use std::collections::{BTreeMap, BTreeSet};

use e2ee::Targets;
use ruma::{DeviceId, OwnedServerName, UserId};
use serde_json::{Map, Value, json};

use super::{DeviceError, RemoteDevices, Result};
use crate::queue::MAX_EDU_BYTES;

/// What an EDU has around its messages, at most: its members, and escaped names of 255 bytes each.
const AROUND: usize = 2048;
/// What a user or device has around its name and content, in bytes.
const PER_ENTRY: usize = 16;

/// Messages of one EDU: contents by user and device.
type Part = BTreeMap<String, Map<String, Value>>;

impl RemoteDevices {
    /// Sends a message to each of `targets` once for each `transaction`; when it returns, that is stored, what is for
    /// other servers too. Devices that do not exist are passed over.
    ///
    /// # Errors
    /// [`DeviceError::TooLarge`] when one of the messages does not fit into an EDU: none is sent then.
    pub async fn send_to_devices(
        &self,
        sender: (&UserId, &DeviceId),
        kind: &str,
        transaction: &str,
        targets: &Targets,
    ) -> Result<()> {
        let mut edus: Vec<(OwnedServerName, Value)> = Vec::new();
        for (server, part) in parts(targets, |server| *server != self.own) {
            let content = json!({
                "sender": sender.0,
                "type": kind,
                "message_id": base::random::alphanumeric(32),
                "messages": part,
            });
            let edu = json!({ "edu_type": "m.direct_to_device", "content": content });
            if edu.to_string().len() > MAX_EDU_BYTES {
                return Err(DeviceError::TooLarge);
            }
            edus.push((server, edu));
        }
        let put = |tx: &mut kv::Tx| {
            for (server, edu) in &edus {
                if let Err(error) = self.queue.put_edu(tx, server, edu) {
                    tracing::warn!(%server, %error, kind, "a message to devices was not sent");
                }
            }
        };
        if self.mailbox.send_with(sender, kind, transaction, targets, put).await? {
            let servers: BTreeSet<_> = edus.iter().map(|(server, _)| server).collect();
            servers.into_iter().for_each(|server| self.queue.wake_edus(server));
        }
        Ok(())
    }
}

/// What each other server gets, in parts that fit into an EDU if each message does.
fn parts(targets: &Targets, is_other: impl Fn(&OwnedServerName) -> bool) -> Vec<(OwnedServerName, Part)> {
    let mut open: BTreeMap<OwnedServerName, (usize, Part)> = BTreeMap::new();
    let mut full = Vec::new();
    for (user, devices) in targets {
        let server = user.server_name().to_owned();
        if !is_other(&server) {
            continue;
        }
        for (device, text) in devices {
            let Ok(content) = serde_json::from_str::<Value>(text) else { continue };
            let size = escaped(user.as_str()) + escaped(device) + text.len() + 2 * PER_ENTRY;
            let (filled, part) = open.entry(server.clone()).or_default();
            if *filled > 0 && *filled + size + AROUND > MAX_EDU_BYTES {
                full.push((server.clone(), std::mem::take(part)));
                *filled = 0;
            }
            *filled += size;
            part.entry(user.to_string()).or_default().insert(device.clone(), content);
        }
    }
    full.extend(open.into_iter().map(|(server, (_, part))| (server, part)));
    full
}

/// Bytes of a name in JSON.
fn escaped(name: &str) -> usize {
    serde_json::to_string(name).map_or(name.len(), |text| text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ruma::OwnedUserId;

    use super::*;

    proptest! {
        /// Everything is sent to the server that it is for, once, in parts that fit.
        #[test]
        fn parts_fit_and_lose_nothing(sizes in prop::collection::vec((0_usize..4, 0_usize..5, 1_usize..30_000), 0..40)) {
            let mut targets = Targets::new();
            for (server, user, size) in sizes {
                let user = OwnedUserId::try_from(format!("@u{user}:s{server}.test")).unwrap();
                let devices = targets.entry(user).or_default();
                let device = format!("D{}", devices.len());
                devices.insert(device, json!({ "body": "x".repeat(size) }).to_string());
            }
            let mut sent = Targets::new();
            for (server, part) in parts(&targets, |server| *server != "s0.test") {
                let edu = json!({ "edu_type": "m.direct_to_device", "content": { "messages": part } });
                prop_assert!(edu.to_string().len() + 1024 <= MAX_EDU_BYTES);
                for (user, devices) in part {
                    let user = OwnedUserId::try_from(user).unwrap();
                    prop_assert_eq!(user.server_name(), &server);
                    for (device, content) in devices {
                        let before = sent.entry(user.clone()).or_default().insert(device, content.to_string());
                        prop_assert_eq!(before, None);
                    }
                }
            }
            targets.retain(|user, _| user.server_name() != "s0.test");
            prop_assert_eq!(sent, targets);
        }
    }
}
