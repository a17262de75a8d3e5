//! The stored form and the client form.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::rooms::{TestRoom, versions};
use crate::{ClientFormat, Pdu, StoredEvent};

/// The client form by the straight way: parse, pick, print.
fn by_hand(pdu: &Pdu, format: ClientFormat, unsigned: Option<Value>) -> Value {
    let mut content: Value = serde_json::from_str(pdu.content.get()).unwrap();
    if let Some(id) = &pdu.redacts {
        content["redacts"] = json!(id);
    }
    let mut event = json!({
        "content": content,
        "event_id": pdu.event_id,
        "origin_server_ts": pdu.origin_server_ts,
        "sender": pdu.sender,
        "type": pdu.kind,
    });
    if format == ClientFormat::Full {
        event["room_id"] = json!(pdu.room_id);
    }
    if let Some(key) = &pdu.state_key {
        event["state_key"] = json!(key);
    }
    if let Some(id) = &pdu.redacts {
        event["redacts"] = json!(id);
    }
    if let Some(unsigned) = unsigned {
        event["unsigned"] = unsigned;
    }
    event
}

fn check(pdu: &Pdu, rules: &ruma::room_version_rules::RoomVersionRules) {
    let stored = StoredEvent::decode(Bytes::from(StoredEvent::encode(pdu, rules))).unwrap();
    assert_eq!(stored.event_id(), pdu.event_id);
    assert_eq!(stored.room_id(), pdu.room_id);
    assert_eq!(stored.sender(), pdu.sender);
    assert_eq!(stored.kind(), pdu.kind.to_string());
    assert_eq!(stored.state_key(), pdu.state_key.as_deref());
    assert_eq!(stored.content(), pdu.content.get());
    assert_eq!(stored.origin_server_ts(), u64::from(pdu.origin_server_ts.get()));
    assert_eq!(stored.depth(), pdu.depth);
    assert_eq!(stored.redacts(), pdu.redacts.as_ref().map(|id| id.as_str()));
    assert_eq!((stored.rejected(), stored.redacted()), (pdu.rejected, pdu.redacted));
    assert_eq!(stored.json(), pdu.json());
    let again = stored.to_pdu(rules).unwrap();
    assert_eq!(StoredEvent::encode(&again, rules), &**stored.as_bytes());
    assert_eq!(again.prev_events, pdu.prev_events);
    assert_eq!(again.auth_events, pdu.auth_events);

    for format in [ClientFormat::Full, ClientFormat::Sync] {
        for unsigned in [None, Some(json!({ "age": 3 }))] {
            let mut out = Vec::new();
            stored.write_client(
                &mut out,
                format,
                unsigned.as_ref().map(Value::to_string).unwrap_or_default().as_bytes(),
            );
            assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), by_hand(pdu, format, unsigned));
        }
    }
    let mut out = Vec::new();
    stored.write_stripped(&mut out);
    let stripped: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(stripped["sender"], json!(pdu.sender));
    assert_eq!(stripped.get("event_id"), None);
}

#[test]
fn every_event_of_a_room_survives_storage_in_every_version() {
    for (version, rules) in versions() {
        let (mut room, tip) = TestRoom::new(&version);
        let odd = room.build(&[tip.clone()], "alice", "odd\"type\\", Some("k\u{7}e\"y"), &json!({ "x": "\\\"" }));
        let redaction =
            room.build(&[tip.clone()], "alice", "m.room.redaction", None, &json!({ "redacts": tip, "reason": "r" }));
        assert_eq!(redaction.redacts.as_ref(), Some(&tip), "{version}");
        for pdu in room.events.values().map(|pdu| &**pdu).chain([&odd, &redaction]) {
            check(pdu, &rules);
            check(&pdu.redact(&rules).unwrap(), &rules);
            let mut rejected = pdu.clone();
            rejected.rejected = true;
            check(&rejected, &rules);
        }
    }
}

#[test]
fn no_prefix_of_a_stored_event_decodes_or_panics() {
    for (version, rules) in versions() {
        let (room, tip) = TestRoom::new(&version);
        let bytes = StoredEvent::encode(&room.events[&tip], &rules);
        for len in 0..bytes.len() / 4 {
            assert!(StoredEvent::decode(Bytes::copy_from_slice(&bytes[..len])).is_err());
        }
    }
}

/// Any JSON that events may hold.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_event_survives_parsing_and_storage(
        version in 0..12_usize,
        kind in ".{0,20}",
        key in prop::option::of(".{0,20}"),
        content in prop::collection::btree_map(".{0,6}", any_json(), 0..5),
    ) {
        let (mut room, tip) = TestRoom::new(&crate::version::SUPPORTED[version]);
        let content = Value::Object(content.into_iter().collect());
        let pdu = room.build(&[tip], "alice", &kind, key.as_deref(), &content);
        prop_assert_eq!(&serde_json::from_str::<Value>(pdu.content.get()).unwrap(), &content);
        prop_assert_eq!(&Pdu::parse(pdu.json(), &room.rules).unwrap().event_id, &pdu.event_id);
        let pretty = serde_json::to_vec_pretty(&serde_json::from_slice::<Value>(pdu.json()).unwrap()).unwrap();
        let parsed = Pdu::parse(&pretty, &room.rules).unwrap();
        prop_assert_eq!(parsed.json(), pdu.json());
        check(&pdu, &room.rules);
        check(&pdu.redact(&room.rules).unwrap(), &room.rules);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(junk in prop::collection::vec(any::<u8>(), 0..80), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (room, tip) = TestRoom::new(&ruma::RoomVersionId::V11);
        let pdu = &room.events[&tip];
        let mut changed = StoredEvent::encode(pdu, &room.rules);
        let index = at.index(changed.len());
        changed[index] = byte;
        for bytes in [junk.clone(), changed] {
            if let Ok(stored) = StoredEvent::decode(Bytes::from(bytes)) {
                stored.write_client(&mut Vec::new(), ClientFormat::Full, b"");
                stored.write_stripped(&mut Vec::new());
                let _ = (stored.depth(), stored.origin_server_ts(), stored.to_pdu(&room.rules).is_ok());
            }
        }
        let mut json = pdu.json().to_vec();
        let index = at.index(json.len());
        json[index] = byte;
        let _ = (Pdu::parse(&json, &room.rules).is_ok(), Pdu::parse(&junk, &room.rules).is_ok());
    }
}
