//! Event formats and their limits, and canonical JSON.

use ruma::RoomVersionId;
use serde_json::{Value, json};

use super::rooms::{TestRoom, versions};
use crate::{
    FormatError, Pdu,
    canonical::{Integers, JsonError, canonicalize},
};

fn number(version: &RoomVersionId) -> u8 {
    version.as_str().parse().unwrap()
}

/// A good message of this version, as a tree.
fn message(version: &RoomVersionId) -> Value {
    let (mut room, tip) = TestRoom::new(version);
    let pdu = room.build(&[tip], "alice", "m.room.message", None, &json!({ "body": "x" }));
    serde_json::from_slice(pdu.json()).unwrap()
}

fn with(mut event: Value, key: &str, value: Value) -> Vec<u8> {
    event[key] = value;
    event.to_string().into_bytes()
}

#[test]
fn malformed_events_are_refused() {
    for (version, rules) in versions() {
        let good = message(&version);
        assert!(Pdu::parse(good.to_string().as_bytes(), &rules).is_ok());
        for key in [
            "auth_events",
            "content",
            "depth",
            "hashes",
            "origin_server_ts",
            "prev_events",
            "room_id",
            "sender",
            "signatures",
            "type",
        ] {
            let mut event = good.clone();
            event.as_object_mut().unwrap().remove(key);
            let error = Pdu::parse(event.to_string().as_bytes(), &rules).unwrap_err();
            assert!(matches!(error, FormatError::Field(name) if name == key), "{version} {key}: {error}");
            let json = with(good.clone(), key, json!(true));
            assert!(Pdu::parse(&json, &rules).is_err(), "{version} {key}");
        }
        for (key, value) in [
            ("depth", json!(-1)),
            ("origin_server_ts", json!(-1)),
            ("hashes", json!({})),
            ("sender", json!("alice")),
            ("room_id", json!("room")),
            ("state_key", json!(1)),
            ("state_key", Value::Null),
            ("prev_events", json!([1])),
            ("prev_events", json!([["$a"]])),
            ("content", json!({ "x": 1.5 })),
            ("content", json!({ "x": u64::MAX })),
        ] {
            assert!(Pdu::parse(&with(good.clone(), key, value.clone()), &rules).is_err(), "{version} {key} {value}");
        }
        for junk in ["", "[]", "1", "{", "{\"a\":}", "nonsense"] {
            assert!(Pdu::parse(junk.as_bytes(), &rules).is_err());
        }
    }
}

#[test]
fn limits_are_inclusive_and_in_bytes_but_for_old_state_keys() {
    for (version, rules) in versions() {
        let good = message(&version);
        for (len, ok) in [(255, true), (256, false)] {
            assert_eq!(Pdu::parse(&with(good.clone(), "state_key", json!("k".repeat(len))), &rules).is_ok(), ok);
            assert_eq!(Pdu::parse(&with(good.clone(), "type", json!("k".repeat(len))), &rules).is_ok(), ok);
            let sender = format!("@{}:x", "a".repeat(len - 3));
            assert_eq!(Pdu::parse(&with(good.clone(), "sender", json!(sender)), &rules).is_ok(), ok);
        }
        // Rooms of versions before 11 hold state keys that were let in by the number of their characters.
        let wide = Pdu::parse(&with(good.clone(), "state_key", json!("ü".repeat(255))), &rules);
        assert_eq!(wide.is_ok(), !rules.authorization.use_room_create_sender, "{version}");
        assert!(Pdu::parse(&with(good.clone(), "state_key", json!("ü".repeat(256))), &rules).is_err());

        let bare = with(good.clone(), "content", json!({ "body": "" })).len();
        for (len, ok) in [(65_536, true), (65_537, false)] {
            let mut event = good.clone();
            event["unsigned"] = json!({ "age": "not counted" });
            let json = with(event, "content", json!({ "body": "x".repeat(len - bare) }));
            assert_eq!(Pdu::parse(&json, &rules).is_ok(), ok, "{version} {len}");
        }
    }
}

#[test]
fn reference_counts_are_limited_except_in_backfill() {
    for (version, rules) in versions() {
        let reference = |i: usize| {
            let id = format!("$event{i}:hearth.test");
            if number(&version) < 3 { json!([id, { "sha256": "x" }]) } else { json!(id) }
        };
        for (key, most) in [("prev_events", 20), ("auth_events", 10)] {
            for (count, ok) in [(most, true), (most + 1, false)] {
                let json = with(message(&version), key, (0..count).map(reference).collect());
                assert_eq!(Pdu::parse(&json, &rules).is_ok(), ok, "{version} {key} {count}");
                assert!(Pdu::parse_uncounted(&json, &rules).is_ok());
            }
        }
    }
}

#[test]
fn integers_beyond_53_bits_are_for_versions_1_to_5() {
    for (version, rules) in versions() {
        for big in [1_i64 << 53, i64::MAX] {
            let old = number(&version) < 6;
            assert_eq!(Pdu::parse(&with(message(&version), "depth", json!(big)), &rules).is_ok(), old, "{version}");
            let content = with(message(&version), "content", json!({ "x": -big }));
            assert_eq!(Pdu::parse(&content, &rules).is_ok(), old, "{version}");
        }
    }
}

#[test]
fn unsigned_and_needless_event_ids_are_dropped_before_hashing() {
    for (version, rules) in versions() {
        let good = message(&version);
        let plain = Pdu::parse(good.to_string().as_bytes(), &rules).unwrap();
        let mut event = good;
        event["unsigned"] = json!({ "age": 5 });
        if number(&version) > 2 {
            event["event_id"] = json!("$other");
        }
        let pretty = serde_json::to_vec_pretty(&event).unwrap();
        let pdu = Pdu::parse(&pretty, &rules).unwrap();
        assert_eq!((pdu.event_id.clone(), pdu.json()), (plain.event_id.clone(), plain.json()), "{version}");
    }
}

#[test]
fn event_ids_have_the_form_of_their_version() {
    for (version, _) in versions() {
        let (room, _) = TestRoom::new(&version);
        for id in room.events.keys() {
            match number(&version) {
                1 | 2 => assert_eq!(id.server_name().unwrap(), "hearth.test"),
                3 => assert!(id.as_str().len() == 44 && !id.as_str().contains(['-', '_', '='])),
                _ => assert!(id.as_str().len() == 44 && !id.as_str().contains(['/', '+', '='])),
            }
        }
    }
}

#[test]
fn a_version_12_create_event_has_no_room_id() {
    let (room, tip) = TestRoom::new(&RoomVersionId::V12);
    let create = &room.events[&room.events[&tip].prev_events[0]];
    let event = serde_json::from_slice(create.json()).unwrap();
    assert!(Pdu::parse(&with(event, "room_id", json!("!x:y")), &room.rules).is_err());
}

#[test]
fn canonical_json_is_that_of_the_appendix() {
    for (text, canonical) in [
        ("{}", "{}"),
        (r#"{ "one": 1, "two": "Two" }"#, r#"{"one":1,"two":"Two"}"#),
        (r#"{"b": "2", "a": "1"}"#, r#"{"a":"1","b":"2"}"#),
        (r#"{"本": 2, "日": 1}"#, r#"{"日":1,"本":2}"#),
        (r#"{"a": "\u65E5"}"#, r#"{"a":"日"}"#),
        (r#"{"a": null, "c": [true, false]}"#, r#"{"a":null,"c":[true,false]}"#),
        (r#"{"a": "\u0001\u0008\u001f\/\"\\"}"#, r#"{"a":"\u0001\b\u001f/\"\\"}"#),
        (r#"{"a": 1, "b": 1, "a": 2}"#, r#"{"a":2,"b":1}"#),
        (r#"{"a": {"z": 1, "y": {"x": [], "w": {}}}}"#, r#"{"a":{"y":{"w":{},"x":[]},"z":1}}"#),
        (r#"{"a": -9007199254740991}"#, r#"{"a":-9007199254740991}"#),
    ] {
        assert_eq!(String::from_utf8(canonicalize(text.as_bytes(), Integers::Strict).unwrap()).unwrap(), canonical);
    }
    for bad in ["1.0", "1e3", "-0", "9007199254740992", "[-9007199254740992]"] {
        assert!(matches!(canonicalize(bad.as_bytes(), Integers::Strict), Err(JsonError::Number)), "{bad}");
    }
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    assert!(matches!(canonicalize(deep.as_bytes(), Integers::Strict), Err(JsonError::Syntax(_))));
    assert!(canonicalize(br#""\ud800""#, Integers::Strict).is_err());
}
