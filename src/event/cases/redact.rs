//! Redaction: what is kept, and who may.

use ruma::RoomVersionId;
use serde_json::{Value, json};

use super::rooms::{TestRoom, user, versions};
use crate::{Pdu, PowerLevels, may_redact};

/// The keys of content that survive from this version on, and the last version, per type.
const KEPT: [(&str, &str, u8, u8); 20] = [
    ("m.room.member", "membership", 1, 12),
    ("m.room.member", "join_authorised_via_users_server", 9, 12),
    ("m.room.member", "third_party_invite", 11, 12),
    ("m.room.create", "creator", 1, 12),
    ("m.room.create", "anything", 11, 12),
    ("m.room.join_rules", "join_rule", 1, 12),
    ("m.room.join_rules", "allow", 8, 12),
    ("m.room.power_levels", "ban", 1, 12),
    ("m.room.power_levels", "events", 1, 12),
    ("m.room.power_levels", "events_default", 1, 12),
    ("m.room.power_levels", "kick", 1, 12),
    ("m.room.power_levels", "redact", 1, 12),
    ("m.room.power_levels", "state_default", 1, 12),
    ("m.room.power_levels", "users", 1, 12),
    ("m.room.power_levels", "users_default", 1, 12),
    ("m.room.power_levels", "invite", 11, 12),
    ("m.room.power_levels", "notifications", 13, 13),
    ("m.room.history_visibility", "history_visibility", 1, 12),
    ("m.room.redaction", "redacts", 11, 12),
    ("m.room.aliases", "aliases", 1, 5),
];

#[test]
fn content_keeps_what_the_version_says() {
    for (version, rules) in versions() {
        let number: u8 = version.as_str().parse().unwrap();
        let (room, tip) = TestRoom::new(&version);
        for (kind, key, from, to) in KEPT {
            let mut event: Value = serde_json::from_slice(room.events[&tip].json()).unwrap();
            event["type"] = json!(kind);
            if kind == "m.room.create" && number == 12 {
                event.as_object_mut().unwrap().remove("room_id");
            }
            event["content"] = json!({ key: { "signed": {}, "display_name": "x" }, "other": 1 });
            let redacted = Pdu::parse(event.to_string().as_bytes(), &rules).unwrap().redact(&rules).unwrap();
            let content: Value = serde_json::from_str(redacted.content.get()).unwrap();
            let kept = (from..=to).contains(&number);
            assert_eq!(content.get(key).is_some(), kept, "{version} {kind} {key}");
            assert_eq!(content.get("other").is_some(), kind == "m.room.create" && number > 10);
            if kept && key == "third_party_invite" {
                assert_eq!(content[key], json!({ "signed": {} }));
            }
        }
        let mut event: Value = serde_json::from_slice(room.events[&tip].json()).unwrap();
        for key in ["origin", "membership", "prev_state", "redacts", "stray"] {
            event[key] = json!("x");
        }
        let pdu = Pdu::parse(event.to_string().as_bytes(), &rules).unwrap();
        let redacted = pdu.redact(&rules).unwrap();
        assert_eq!(redacted.event_id, pdu.event_id);
        assert!(redacted.redacted);
        let left: Value = serde_json::from_slice(redacted.json()).unwrap();
        for key in ["origin", "membership", "prev_state"] {
            assert_eq!(left.get(key).is_some(), number < 11, "{version} {key}");
        }
        assert_eq!((left.get("redacts"), left.get("stray")), (None, None));
    }
}

#[test]
fn power_or_the_same_server_may_redact() {
    let (mut room, tip) = TestRoom::furnished(&RoomVersionId::V11, "public");
    let target = room.send(&[tip], "carol.other.test", "m.room.message", None, json!({})).unwrap();
    let state = room.state_before(&[target.clone()]);
    let rules = room.rules.clone();
    let current = |kind: &str| room.events.get(state.get(&(kind.into(), String::new()))?).cloned();
    let power = PowerLevels::new(current("m.room.create").unwrap(), current("m.room.power_levels"), &rules).unwrap();
    let events = room.events.clone();
    let mut check = |sender: &str, id: &str| {
        let redaction = room.build(&[target.clone()], sender, "m.room.redaction", None, &json!({ "redacts": id }));
        may_redact(&redaction, &events[&target], &power, &rules)
    };
    assert!(check("mia", target.as_str()));
    assert!(check("carol.other.test", target.as_str()));
    assert!(check("dora.other.test", target.as_str()));
    assert!(!check("bob", target.as_str()));
    assert!(!check("mia", "$another"));
    assert_eq!(power.user(&user("mia")), crate::UserPowerLevel::Int(ruma::int!(50)));
}
