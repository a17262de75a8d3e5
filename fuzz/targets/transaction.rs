//! Bodies of `PUT /send/{txnId}`, and EDUs in them.
#![no_main]

mod common;

use base::Clock;
use ephemeral::{Presence, Receipts, Typing};
use federation::{
    Checks, Client, Config, Edus, Inbound, OwnKeys, Policy, ServerKeys,
    keys::{Ask, AskError},
};
use libfuzzer_sys::fuzz_target;
use ruma::{RoomVersionId, server_name};

async fn run(data: &[u8]) {
    let db = common::database();
    let (rooms, _) = common::room(&db, RoomVersionId::V11).await;
    let clock = Clock::fixed(common::NOW);
    let signer = common::signer("a.test", 1);
    let config = Config { enabled: false, ..Config::default() };
    let outbound = outbound::Outbound::new(&config.outbound()).expect("an HTTP client");
    let client = Client::new(outbound, signer.clone(), Policy::new(&config), clock.clone());
    let ask = Ask::with(|_, _| async { Err(AskError("nobody answers".to_owned())) });
    let keys = ServerKeys::asking(db.clone(), clock.clone(), OwnKeys::new(signer, Vec::new()), &[], ask);
    let edus = Edus {
        typing: Typing::new(db.clone(), clock.clone()),
        receipts: Receipts::new(db.clone(), rooms.clone(), clock.clone()),
        presence: Presence::new(db.clone(), clock.clone(), true),
    };
    let checks = Checks::new(keys, clock.clone());
    let inbound = Inbound::new(db, clock, rooms, client, checks, edus);
    let origin = server_name!("b.test");
    if let Ok(answer) = inbound.transaction(origin, "1", data).await {
        assert_eq!(inbound.transaction(origin, "1", data).await.ok(), Some(answer), "the same answer again");
    }
}

fuzz_target!(|data: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(data));
});
