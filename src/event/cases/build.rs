//! Building and parsing: fixed vectors, ids, formats, limits.

use ruma::{CanonicalJsonObject, RoomVersionId, canonical_json::redact, signatures};
use serde_json::json;

use super::rooms::{TestRoom, raw, versions};
use crate::{Pdu, reference_hash};

#[test]
fn an_event_we_build_parses_back_to_itself_in_every_version() {
    for (version, rules) in versions() {
        let (mut room, tip) = TestRoom::new(&version);
        let pdu =
            room.build(&[tip], "alice", "m.room.message", None, &json!({ "body": "hé\n\u{1}\"", "a": [1, null] }));
        let parsed = Pdu::parse(pdu.json(), &rules).unwrap();
        assert_eq!(parsed.event_id, pdu.event_id, "{version}");
        assert_eq!(parsed.json(), pdu.json(), "{version}");
        assert_eq!(parsed.content.get(), raw(&json!({ "a": [1, null], "body": "hé\n\u{1}\"" })).get());
    }
}

#[test]
fn hashes_and_redacted_forms_are_those_of_ruma() {
    for (version, rules) in versions() {
        let (room, _) = TestRoom::new(&version);
        for pdu in room.events.values() {
            let object: CanonicalJsonObject = serde_json::from_slice(pdu.json()).unwrap();
            assert_eq!(reference_hash(pdu.json(), &rules), signatures::reference_hash(&object, &rules).unwrap());
            let hash = signatures::content_hash(&object).unwrap().encode();
            assert_eq!(object["hashes"].as_object().unwrap()["sha256"], hash);
            let redacted = redact(object, &rules.redaction, None).unwrap();
            assert_eq!(pdu.redact(&rules).unwrap().json(), &serde_json::to_vec(&redacted).unwrap());
        }
    }
}

#[test]
fn a_version_12_room_takes_its_id_from_the_create_event() {
    let (room, tip) = TestRoom::new(&RoomVersionId::V12);
    let join = &room.events[&tip];
    let create = &room.events[&join.prev_events[0]];
    assert_eq!(create.room_id.as_str(), create.event_id.as_str().replacen('$', "!", 1));
    assert_eq!(join.room_id, create.room_id);
    assert!(join.auth_events.is_empty());
}
