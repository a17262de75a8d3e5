//! The domain objects that handlers take by `State<...>`.

use std::{ops::Deref, sync::Arc};

use account::{AccountData, Accounts, Filters, Profiles, Uia};
use appservice::Appservices;
use axum::extract::FromRef;
use e2ee::{Backups, Dehydrated, Keys, Mailbox};
use ephemeral::{Presence, Receipts, Typing};
use federation::{Client, Inbound, Memberships, Queue, RemoteDevices, ServerKeys};
use flows::Flows;
use media::{Media, Previews};
use push::{Counts, Pushers, Rules, Subscriptions};
use room::Rooms;
use search::Search;
use sync::Sync;

use crate::{Config, RateLimits, Stopping};

/// Everything that handlers may ask for; a handler names in its signature what it uses.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Parts>);

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl From<Parts> for AppState {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

/// Declares [`Parts`] and lets each of its fields be taken by `State<Type>`.
macro_rules! parts {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        /// What the edge is built from, one field per domain object.
        #[derive(Debug)]
        pub struct Parts { $($(#[$doc])* pub $field: $type,)* }

        $(impl FromRef<AppState> for $type {
            fn from_ref(state: &AppState) -> Self {
                state.$field.clone()
            }
        })*
    };
}

parts! {
    /// Settings of the edge itself.
    config: Arc<Config>,
    /// Rate limits.
    limits: RateLimits,
    /// Whether the server is about to stop.
    stopping: Stopping,
    /// Users, devices, sessions.
    accounts: Accounts,
    /// User-interactive authentication.
    uia: Uia,
    /// Application services.
    appservices: Appservices,
    /// Profiles.
    profiles: Profiles,
    /// Account data.
    account_data: AccountData,
    /// Filters.
    filters: Filters,
    /// Encryption keys.
    keys: Keys,
    /// Messages to devices.
    mailbox: Mailbox,
    /// Dehydrated devices.
    dehydrated: Dehydrated,
    /// Key backups.
    backups: Backups,
    /// Media.
    media: Media,
    /// Previews of links.
    previews: Previews,
    /// Rooms.
    rooms: Rooms,
    /// What touches several domains.
    flows: Flows,
    /// What rooms say, by words.
    search: Search,
    /// Who is typing.
    typing: Typing,
    /// Who has read how far.
    receipts: Receipts,
    /// Who is there.
    presence: Presence,
    /// Push rules.
    push_rules: Rules,
    /// Which threads users follow.
    subscriptions: Subscriptions,
    /// Where notifications go.
    pushers: Pushers,
    /// Unread counts and notifications.
    counts: Counts,
    /// What changed for a user.
    sync: Arc<Sync>,
    /// Asks other servers.
    federation_client: Client,
    /// What is sent to other servers.
    outgoing: Queue,
    /// Devices and keys across servers.
    remote_devices: RemoteDevices,
    /// Memberships across servers.
    memberships: Memberships,
    /// Keys of all servers.
    server_keys: ServerKeys,
    /// Takes in what other servers send.
    inbound: Inbound,
}
