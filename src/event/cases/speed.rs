//! Figures, not tests: `CARGO_PROFILE_TEST_OPT_LEVEL=3 cargo test -p event speed -- --ignored --nocapture`.

use std::time::Instant;

use bytes::Bytes;
use ruma::RoomVersionId;
use serde_json::json;

use super::rooms::{TestRoom, raw, signer_of, user};
use crate::{ClientFormat, Draft, Pdu, Place, StoredEvent, authorize};

fn measure(name: &str, mut work: impl FnMut()) {
    const ROUNDS: u32 = 20_000;
    for _ in 0..ROUNDS / 10 {
        work();
    }
    let start = Instant::now();
    for _ in 0..ROUNDS {
        work();
    }
    println!("{name:<14} {:>8.2} us", start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
}

#[test]
#[ignore = "figures, not a test"]
fn speed() {
    let (mut room, tip) = TestRoom::furnished(&RoomVersionId::V11, "public");
    let content = json!({ "msgtype": "m.text", "body": "hello, how are you today?" });
    let pdu = room.build(&[tip.clone()], "bob", "m.room.message", None, &content);
    let (signer, sender) = (signer_of("hearth.test"), user("bob"));
    let draft = Draft::message("m.room.message".into(), raw(&content));
    let place = Place {
        room_id: room.room_id.as_deref(),
        sender: &sender,
        prev_events: &pdu.prev_events,
        auth_events: &pdu.auth_events,
        hashes: &[],
        depth: 7,
        origin_server_ts: pdu.origin_server_ts,
        random: [0; 16],
    };
    let state = room.state_before(&[tip]);
    let stored = Bytes::from(StoredEvent::encode(&pdu, &room.rules));
    let decoded = StoredEvent::decode(stored.clone()).unwrap();
    println!("{} bytes of JSON, {} stored", pdu.json().len(), stored.len());
    measure("build", || drop(std::hint::black_box(draft.build(&place, &signer, &room.rules).unwrap())));
    measure("parse", || drop(std::hint::black_box(Pdu::parse(pdu.json(), &room.rules).unwrap())));
    measure("redact", || drop(std::hint::black_box(pdu.redact(&room.rules).unwrap())));
    measure("encode", || drop(std::hint::black_box(StoredEvent::encode(&pdu, &room.rules))));
    measure("decode", || drop(std::hint::black_box(StoredEvent::decode(stored.clone()).unwrap())));
    measure("to_pdu", || drop(std::hint::black_box(decoded.to_pdu(&room.rules).unwrap())));
    measure("authorize", || {
        authorize(&pdu, &room.rules, |kind, key| room.events.get(state.get(&(kind.clone(), key.to_owned()))?).cloned())
            .unwrap();
    });
    let mut out = Vec::with_capacity(4096);
    measure("write_client", || {
        out.clear();
        StoredEvent::decode(stored.clone()).unwrap().write_client(&mut out, ClientFormat::Full, b"{\"age\":12}");
        std::hint::black_box(&out);
    });
}
