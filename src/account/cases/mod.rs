//! Behaviour of the crate as its callers see it; each test runs on an engine that makes first commits conflict too.

mod data;
mod devices;
mod profiles;
mod registration;
mod sessions;
mod uia;
mod users;

use base::Clock;
use kv::{Db, flaky::Flaky, memory::Memory};
use ruma::owned_server_name;

use crate::{
    Accounts, Config, DeviceProjection, Issued, NewAccount, NewDevice, PasswordsConfig, Permit, RegistrationConfig,
    RegistrationMode,
};

/// When tests happen.
const NOW: u64 = 1_800_000_000_000;

/// A server's accounts and what they stand on.
pub struct World {
    pub accounts: Accounts,
    pub db: Db,
    pub clock: Clock,
}

pub fn config(mode: RegistrationMode) -> Config {
    Config {
        registration: RegistrationConfig { mode, token: Some("letmein".into()), ..RegistrationConfig::default() },
        passwords: PasswordsConfig { minimum_length: 3, memory_kib: 8, iterations: 1 },
        ..Config::default()
    }
}

pub async fn world_with(config: Config, projections: Vec<Box<dyn DeviceProjection>>) -> World {
    let (db, clock) = (Db::new(Flaky::new(Memory::new())), Clock::fixed(NOW));
    let server = owned_server_name!("hearth.test");
    let accounts = Accounts::open(db.clone(), clock.clone(), server, config, projections).await.unwrap();
    World { accounts, db, clock }
}

pub async fn world() -> World {
    world_with(config(RegistrationMode::Open), Vec::new()).await
}

pub fn new_account(name: &str) -> NewAccount {
    NewAccount { name: Some(name.into()), phc: None, permit: Permit::Mode, device: Some(NewDevice::default()) }
}

impl World {
    /// An account with the password "sesame" and a session.
    pub async fn user(&self, name: &str) -> Issued {
        let phc = Some(self.accounts.hash_password("sesame").await.unwrap());
        self.accounts.register(&NewAccount { phc, ..new_account(name) }).await.unwrap().1.unwrap()
    }
}

#[test]
fn tables_have_ids_of_this_crate_and_of_their_own() {
    let mut ids: Vec<_> = crate::tables::ALL.iter().map(|table| table.id).collect();
    assert!(ids.iter().all(|id| id >> 8 == 1));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), crate::tables::ALL.len());
}
