//! Bytes from another server as an event of each room version: parsed, redacted, stored, read back; and, when they are
//! a JSON object, with a good hash and signature put on them, which then have to hold.
#![no_main]

use event::{
    Pdu, RoomVersionRules, Signer, StoredEvent,
    verify::{KeyMap, ServerKey, Verified},
};
use libfuzzer_sys::fuzz_target;
use ruma::{CanonicalJsonObject, MilliSecondsSinceUnixEpoch, UInt, signatures::Ed25519KeyPair};

fn signer() -> Signer {
    Signer::new("b.test".try_into().expect("a name"), "ed25519:1".try_into().expect("a key id"), &[2; 32])
}

fn stored_and_back(pdu: &Pdu, rules: &RoomVersionRules) {
    let again = Pdu::parse(pdu.json(), rules).expect("what was parsed is canonical");
    assert_eq!(again.event_id, pdu.event_id);
    let stored = StoredEvent::from_pdu(pdu, rules).expect("what was parsed can be stored");
    let back = stored.to_pdu(rules).expect("what was stored can be read");
    assert_eq!((&back.event_id, &back.sender, &back.state_key), (&pdu.event_id, &pdu.sender, &pdu.state_key));
    for format in [event::ClientFormat::Sync, event::ClientFormat::Full] {
        let mut out = Vec::new();
        stored.write_client(&mut out, format, b"");
        serde_json::from_slice::<serde::de::IgnoredAny>(&out).expect("clients are sent JSON");
    }
    if let Ok(redacted) = pdu.redact(rules) {
        assert_eq!(redacted.event_id, pdu.event_id);
        let twice = redacted.redact(rules).expect("what is redacted can be redacted");
        assert_eq!(twice.json(), redacted.json());
    }
}

fn signed_and_verified(object: &CanonicalJsonObject, rules: &RoomVersionRules) {
    let signer = signer();
    let mut object = object.clone();
    object.remove("signatures");
    // Not part of such events, and dropped before anything is computed.
    if rules.event_id_format != ruma::room_version_rules::EventIdFormatVersion::V1 {
        object.remove("event_id");
    }
    if ruma::signatures::hash_and_sign_event("b.test", &key_pair(), &mut object, &rules.redaction).is_err() {
        return;
    }
    let Ok(pdu) = Pdu::from_object(&object, rules) else { return };
    assert!(event::verify::hash_matches(&pdu), "the hash is that of another implementation");
    let needed = event::verify::required_servers(&pdu, rules);
    if !needed.is_ok_and(|servers| servers.iter().eq(["b.test"])) {
        return;
    }
    let key = ServerKey { public: signer.public_key(), valid_until_ts: u64::MAX, expired_ts: None };
    let keys = KeyMap::from([(signer.server_name().clone(), [(signer.key_id().clone(), key)].into_iter().collect())]);
    let now = MilliSecondsSinceUnixEpoch(UInt::MAX);
    let result = event::verify::verify(&pdu, rules, &keys, now);
    assert_eq!(result, Ok(Verified::All), "the signature is that of another implementation");
    let mut other = object;
    other.insert("depth".to_owned(), ruma::CanonicalJsonValue::Integer(ruma::Int::from(77_u8)));
    if let Ok(other) = Pdu::from_object(&other, rules).map(|other| (other.json() != pdu.json(), other))
        && other.0
    {
        assert!(event::verify::verify(&other.1, rules, &keys, now).is_err(), "a signature of something else");
    }
}

/// The key in the form of the other implementation: PKCS#8 around the seed.
fn key_pair() -> Ed25519KeyPair {
    let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    der.extend_from_slice(&[2; 32]);
    Ed25519KeyPair::from_der(&der, "1".to_owned()).expect("a key")
}

fuzz_target!(|data: &[u8]| {
    let object: Option<CanonicalJsonObject> = serde_json::from_slice(data).ok();
    for version in event::version::SUPPORTED {
        let Some(rules) = event::rules(&version) else { continue };
        if let Some(object) = &object {
            signed_and_verified(object, &rules);
        }
        let Ok(pdu) = Pdu::parse(data, &rules) else { continue };
        stored_and_back(&pdu, &rules);
        let _ = event::verify::required_servers(&pdu, &rules);
        let _ = event::verify::needed_keys(&pdu, &rules);
        let _ = event::verify::hash_matches(&pdu);
    }
});
