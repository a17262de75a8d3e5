//! Well-signed events of a hostile server: any type, content, place and authorization. Whatever comes, the room goes
//! on: its owner can still speak, and its extremities are never rejected events.
#![no_main]

mod common;

use std::sync::Arc;

use event::{Draft, Pdu};
use kv::Read;
use libfuzzer_sys::fuzz_target;
use room::{Ingested, Outgoing};
use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, RoomVersionId, UInt, UserId};
use serde_json::value::RawValue;

const KINDS: [&str; 9] = [
    "m.room.message",
    "m.room.member",
    "m.room.power_levels",
    "m.room.topic",
    "m.room.redaction",
    "m.room.join_rules",
    "m.room.create",
    "m.room.server_acl",
    "org.matrix.dummy_event",
];
const SENDERS: [&str; 4] = ["@bob:b.test", "@eve:b.test", "@alice:a.test", "@nobody:c.test"];
const KEYS: [Option<&str>; 6] =
    [None, Some(""), Some("@bob:b.test"), Some("@alice:a.test"), Some("@eve:b.test"), Some("\u{0}")];
const CONTENTS: [&str; 12] = [
    r#"{"msgtype":"m.text","body":"x"}"#,
    r#"{"membership":"join"}"#,
    r#"{"membership":"leave"}"#,
    r#"{"membership":"ban"}"#,
    r#"{"membership":"knock"}"#,
    r#"{"membership":"invite","third_party_invite":null}"#,
    r#"{"users":{"@bob:b.test":100}}"#,
    r#"{"users":{},"ban":"50"}"#,
    r#"{"join_rule":"restricted","allow":[{"type":"m.room_membership","room_id":"!x:y"}]}"#,
    r#"{"allow":["*"],"deny":["a.test"]}"#,
    r#"{"m.relates_to":{"rel_type":"m.thread","event_id":"$x"}}"#,
    "{}",
];

fn event(part: &[u8], known: &[OwnedEventId], room: &ruma::RoomId, rules: &event::RoomVersionRules) -> Option<Pdu> {
    let at = |byte: u8| known.get(usize::from(byte) % known.len()).cloned();
    let (prev, auth): (Vec<_>, Vec<_>) =
        (part[4..6].iter().filter_map(|b| at(*b)).collect(), part[6..10].iter().filter_map(|b| at(*b)).collect());
    let sender = UserId::parse(SENDERS[usize::from(part[1]) % SENDERS.len()]).ok()?;
    let draft = Draft {
        kind: KINDS[usize::from(part[0]) % KINDS.len()].into(),
        state_key: KEYS[usize::from(part[2]) % KEYS.len()].map(str::to_owned),
        content: RawValue::from_string(CONTENTS[usize::from(part[3]) % CONTENTS.len()].to_owned()).ok()?,
        redacts: at(part[10]),
    };
    let place = event::Place {
        room_id: Some(room),
        sender: &sender,
        prev_events: &prev,
        auth_events: &auth,
        hashes: &[],
        depth: u64::from(part[11]),
        origin_server_ts: MilliSecondsSinceUnixEpoch(UInt::from(u32::from(part[11]))),
        random: [part[11]; 16],
    };
    draft.build(&place, &common::signer("b.test", 2), rules).ok()
}

async fn run(data: &[u8]) {
    let Some((version, rest)) = data.split_first() else { return };
    let versions = [RoomVersionId::V6, RoomVersionId::V10, RoomVersionId::V11, RoomVersionId::V12];
    let version = versions[usize::from(*version) % versions.len()].clone();
    let Some(rules) = event::rules(&version) else { return };
    let db = common::database();
    let (rooms, id) = common::room(&db, version).await;
    let view = db.view();
    let num = rooms.num(&view, &id).await.expect("the room is there");
    let page = rooms.timeline(&view, num, room::Place::MIN, room::Direction::Forward, 100).await.expect("a timeline");
    let mut known: Vec<OwnedEventId> =
        page.events.iter().map(|(_, _, row)| row.event.event_id().try_into().expect("an event id")).collect();
    for part in rest.chunks_exact(12).take(24) {
        let Some(pdu) = event(part, &known, &id, &rules) else { continue };
        known.push(pdu.event_id.clone());
        match rooms.ingest(&id, &Arc::new(pdu), None).await {
            Ok(Ingested::Rejected(_) | Ingested::Known | Ingested::SoftFailed(_) | Ingested::Missing(_)) => {}
            Ok(Ingested::Accepted(num_of)) => {
                let row = rooms.row(&db.view(), num, num_of).await.expect("an accepted event is there");
                assert!(row.meta.is_shown());
            }
            Err(error) => panic!("{error}"),
        }
    }
    let alice = UserId::parse("@alice:a.test").expect("a user id");
    let content = RawValue::from_string(r#"{"msgtype":"m.text","body":"still here"}"#.to_owned()).expect("JSON");
    let spoken = rooms.send(&id, &Outgoing::new(&alice, Draft::message("m.room.message".into(), content))).await;
    let view = db.view();
    let tip = rooms.tip(&view, num).await.expect("a tip");
    for extremity in &tip.extremities {
        let row = rooms.row(&view, num, extremity.num).await.expect("an extremity is there");
        assert!(row.meta.is_shown(), "an extremity is no part of the room");
    }
    let _ = view.is_pristine();
    assert!(spoken.is_ok(), "{spoken:?}");
}

fuzz_target!(|data: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(run(data));
});
