//! Builds every domain object bottom-up from the configuration.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use account::{AccountData, Accounts, DeviceProjection, Filters, Profiles, Uia};
use api::{AppState, Parts, RateLimits, Stopping};
use appservice::Appservices;
use base::Clock;
use e2ee::{Backups, Dehydrated, Keys, KeysProjection, Mailbox};
use ephemeral::{Presence, Receipts, Typing};
use federation::{
    Checks, Client, Edus, Inbound, JoinsProjection, Memberships, Policy, Queue, RemoteDevices, ServerKeys,
};
use flows::{Flows, Notices};
use kv::{Db, Engine, TableInfo};
use kv_rocksdb::RocksDb;
use media::{Media, Previews};
use outbound::Outbound;
use push::{Counts, CountsProjection, Pushers, PushersProjection, Rules, Subscriptions};
use room::{Projection, Rooms};
use search::Search;
use sync::{Sources, Sync};
use tokio::sync::watch;

use crate::{
    Config, Error,
    config::{Durability, Memory},
    restored::Guard,
    signing,
};

/// All domain objects of one server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Wired {
    /// The database.
    pub db: Db,
    /// What handlers use.
    pub state: AppState,
    /// Tells application services what happens.
    pub appservices: appservice::Outgoing,
    /// The engine below `db`, to be closed at the end; tests may have another.
    pub engine: Option<Arc<RocksDb>>,
    /// Says `true` to everything that waits when the server stops.
    pub stop: Arc<watch::Sender<bool>>,
    /// Tells a restored database.
    pub(crate) guard: Guard,
}

/// The tables of all crates.
pub(crate) fn tables() -> Vec<TableInfo> {
    [
        account::tables::ALL,
        appservice::tables::ALL,
        e2ee::tables::ALL,
        ephemeral::tables::ALL,
        federation::tables::ALL,
        federation::queue::tables::ALL,
        federation::devices::tables::ALL,
        media::tables::ALL,
        push::tables::ALL,
        room::tables::ALL,
        search::tables::ALL,
    ]
    .concat()
}

/// What is removed with a device.
fn device_projections() -> Vec<Box<dyn DeviceProjection>> {
    vec![Box::new(KeysProjection), Box::new(PushersProjection)]
}

/// What is derived from every event, in the transaction that appends it.
fn event_projections(config: &Config) -> Vec<Box<dyn Projection>> {
    let server = &config.server_name;
    let mut projections: Vec<Box<dyn Projection>> = vec![Box::new(CountsProjection::new(server))];
    if config.federation.enabled {
        projections.push(Box::new(JoinsProjection::new(server.clone())));
    }
    projections
}

/// How the memory budget is shared, in bytes.
struct Shares {
    blocks: usize,
    memtables: usize,
    rooms: u64,
}

impl Shares {
    /// Half for blocks of the database, a quarter for memtables, an eighth for decoded rooms; the rest is room for
    /// what requests hold.
    fn of(memory: &Memory) -> Self {
        let bytes = memory.budget_mb.saturating_mul(1 << 20);
        let usize = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Self { blocks: usize(bytes / 2), memtables: usize(bytes / 4), rooms: bytes / 8 }
    }
}

/// Where the database is.
pub(crate) fn database(config: &Config) -> PathBuf {
    config.data_dir.join("db")
}

/// Opens the engine, or creates its database.
pub(crate) fn engine(config: &Config) -> Result<Arc<RocksDb>, Error> {
    engine_as(config, false)
}

fn engine_as(config: &Config, accept_data_loss: bool) -> Result<Arc<RocksDb>, Error> {
    let shares = Shares::of(&config.memory);
    let options = kv_rocksdb::Options {
        durability: match config.durability {
            Durability::Fsync => kv_rocksdb::Durability::Fsync,
            Durability::Os => kv_rocksdb::Durability::Os,
        },
        cache_bytes: shares.blocks,
        memtable_bytes: shares.memtables,
        accept_data_loss,
        ..kv_rocksdb::Options::default()
    };
    Ok(RocksDb::open(database(config), options)?)
}

impl Wired {
    /// Opens the database of `config` and builds everything on it.
    ///
    /// # Errors
    /// When the database cannot be opened or is not ours.
    pub async fn open(config: &Config, clock: Clock) -> Result<Self, Error> {
        Self::with(engine(config)?, config, clock).await
    }

    /// As [`Wired::open`], with what is left of a damaged database.
    pub(crate) async fn open_damaged(config: &Config, clock: Clock) -> Result<Self, Error> {
        Self::with(engine_as(config, true)?, config, clock).await
    }

    async fn with(rocks: Arc<RocksDb>, config: &Config, clock: Clock) -> Result<Self, Error> {
        let wired = Self::on(rocks.clone(), config, clock).await?;
        Ok(Self { engine: Some(rocks), ..wired })
    }

    /// Builds everything on `engine`.
    ///
    /// # Errors
    /// When the database is not ours.
    pub async fn on(engine: Arc<dyn Engine>, config: &Config, clock: Clock) -> Result<Self, Error> {
        let (stop, _) = watch::channel(false);
        let services = appservice::load(&config.appservices, &config.server_name)?;
        let db = Db::new(engine);
        kv::schema::open(&db, &tables()).await?;
        let server = config.server_name.clone();
        let own_keys = signing::keys(&config.data_dir, server.clone())?;
        let signer = own_keys.signer().clone();
        let keys = Keys::new(db.clone(), server.clone());
        let guard = Guard::new(db.clone(), &config.data_dir);
        let epoch = guard.check(&keys).await?;
        let accounts =
            Accounts::open(db.clone(), clock.clone(), server.clone(), config.accounts(), device_projections()).await?;
        let post = appservice::Post::new()?;
        let appservices = Appservices::new(db.clone(), clock.clone(), accounts.clone(), post, services);
        appservices.add_senders().await?;
        let media = media(&db, &clock, config, &config.data_dir.join("media"))?;
        let outbound = Outbound::new(&config.federation.outbound())?;
        let policy = Policy::new(&config.federation);
        let client = Client::new(outbound, signer.clone(), policy, clock.clone());
        let notaries = &config.federation.trusted_key_servers;
        let server_keys = ServerKeys::new(db.clone(), clock.clone(), own_keys, notaries, client.clone());
        let shares = Shares::of(&config.memory);
        let rooms = Rooms::new(
            db.clone(),
            clock.clone(),
            signer,
            config.rooms.clone(),
            shares.rooms,
            event_projections(config),
        )
        .with_policy_servers(Arc::new(client.clone()));
        let account_data = AccountData::new(db.clone());
        let typing = Typing::new(db.clone(), clock.clone());
        let receipts = Receipts::new(db.clone(), rooms.clone(), clock.clone());
        let presence = Presence::new(db.clone(), clock.clone(), config.presence.enabled);
        let mailbox = Mailbox::new(db.clone(), clock.clone(), server.clone());
        let outgoing = Queue::new(db.clone(), clock.clone(), server, Arc::new(client.clone()));
        let remote_devices = RemoteDevices::new(
            rooms.clone(),
            keys.clone(),
            mailbox.clone(),
            clock.clone(),
            client.clone(),
            outgoing.clone(),
        )
        .telling_names(config.federation.tell_device_names);
        let edus = Edus {
            typing: typing.clone(),
            receipts: receipts.clone(),
            presence: presence.clone(),
            devices: remote_devices.clone(),
        };
        let checks = Checks::new(server_keys.clone(), clock.clone());
        let memberships = Memberships::new(rooms.clone(), client.clone(), checks.clone());
        let inbound = Inbound::new(db.clone(), clock.clone(), rooms.clone(), client.clone(), checks, edus);
        let profiles = Profiles::new(db.clone());
        let push_rules = Rules::new(db.clone(), rooms.clone());
        let counts = Counts::new(rooms.clone(), receipts.clone());
        let sources = Sources {
            rooms: rooms.clone(),
            account_data: account_data.clone(),
            receipts: receipts.clone(),
            typing: typing.clone(),
            presence: presence.clone(),
            counts: counts.clone(),
            push_rules: push_rules.clone(),
            keys: keys.clone(),
            mailbox: mailbox.clone(),
        };
        let appservices_outgoing = appservice::Outgoing {
            appservices: appservices.clone(),
            rooms: rooms.clone(),
            typing: typing.clone(),
            receipts: receipts.clone(),
            presence: presence.clone(),
            mailbox: mailbox.clone(),
            keys: keys.clone(),
            clock: clock.clone(),
        };
        let flows = Flows {
            appservices: appservices.clone(),
            memberships: memberships.clone(),
            accounts: accounts.clone(),
            profiles: profiles.clone(),
            account_data: account_data.clone(),
            rooms: rooms.clone(),
            media: media.clone(),
            spaces: flows::Spaces::default(),
            federation: client.clone(),
            rules: push_rules.clone(),
            notices: Notices::new(config.server_notices.clone()),
        };
        flows.prepare_notices().await?;
        let state = AppState::from(Parts {
            flows,
            config: Arc::new(config.http()),
            stopping: Stopping::new(stop.subscribe()),
            limits: RateLimits::new(config.rate_limits.clone(), clock.clone()),
            appservices,
            typing,
            receipts,
            presence,
            sync: Arc::new(Sync::new(sources, &epoch)),
            outgoing,
            remote_devices,
            inbound,
            federation_client: client,
            memberships,
            server_keys,
            push_rules,
            subscriptions: Subscriptions::new(db.clone(), rooms.clone()),
            pushers: Pushers::new(db.clone()),
            counts,
            uia: Uia::new(accounts.clone()),
            profiles,
            account_data,
            filters: Filters::new(db.clone()),
            dehydrated: Dehydrated::new(keys.clone(), mailbox.clone(), accounts.clone(), clock.clone()),
            backups: Backups::new(db.clone()),
            keys,
            mailbox,
            accounts,
            search: Search::new(db.clone(), rooms.clone(), config.search.clone()),
            previews: Previews::new(
                media.clone(),
                Outbound::new(&config.url_previews.outbound())?,
                config.url_previews.clone(),
            ),
            media,
            rooms,
        });
        Ok(Self { db, state, appservices: appservices_outgoing, engine: None, stop: Arc::new(stop), guard })
    }

    /// Writes out what is buffered; nothing may be asked of it afterwards.
    pub async fn close(self) {
        if let Err(error) = self.guard.note().await {
            tracing::warn!(%error, "where the database stands was not noted");
        }
        let Some(engine) = self.engine else { return };
        let closed = tokio::task::spawn_blocking(move || engine.close()).await;
        if !matches!(closed, Ok(Ok(()))) {
            tracing::error!(?closed, "the database was not closed cleanly");
        }
    }
}

fn media(db: &Db, clock: &Clock, config: &Config, dir: &Path) -> Result<Media, Error> {
    let media = Media::open(db.clone(), clock.clone(), config.server_name.clone(), dir, config.media.clone());
    media.map_err(|cause| Error::file(dir, cause))
}
