//! Signatures: the vectors of the specification's appendix, and what each version asks for.

use ruma::{CanonicalJsonObject, MilliSecondsSinceUnixEpoch, RoomVersionId, UInt};
use serde_json::{Value, json};

use super::rooms::{TestRoom, signer_of, versions};
use crate::{
    Pdu, Signer,
    redact::redacted_json,
    reference_hash, rules,
    verify::{
        KeyMap, MAX_KEY_VALIDITY_MS, ServerKey, Verified, VerifyError, needed_keys, verified, verify, verify_bytes,
    },
};

const NOW: u64 = 10_000_000_000;

fn now() -> MilliSecondsSinceUnixEpoch {
    MilliSecondsSinceUnixEpoch(UInt::try_from(NOW).unwrap())
}

fn keys(servers: &[&str]) -> KeyMap {
    servers
        .iter()
        .map(|server| {
            let signer = signer_of(server);
            let key = ServerKey { public: signer.public_key(), valid_until_ts: NOW, expired_ts: None };
            (signer.server_name().clone(), [(signer.key_id().clone(), key)].into())
        })
        .collect()
}

fn appendix_signer() -> Signer {
    let seed = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";
    Signer::from_base64("domain".try_into().unwrap(), "ed25519:1".try_into().unwrap(), seed).unwrap()
}

#[test]
fn json_signatures_are_those_of_the_appendix() {
    assert_eq!(appendix_signer().public_key_base64(), "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI");
    for (text, signature) in [
        ("{}", "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"),
        (
            r#"{"one": 1, "two": "Two"}"#,
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
        ),
    ] {
        let mut object: CanonicalJsonObject = serde_json::from_str(text).unwrap();
        appendix_signer().sign_json(&mut object).unwrap();
        let signed = serde_json::to_value(&object).unwrap();
        assert_eq!(signed["signatures"]["domain"]["ed25519:1"], signature);
    }
}

#[test]
fn event_hashes_and_signatures_are_those_of_the_appendix() {
    let rules = rules(&RoomVersionId::V5).unwrap();
    let minimal = json!({
        "room_id": "!x:domain", "sender": "@a:domain", "origin": "domain", "origin_server_ts": 1_000_000,
        "hashes": { "sha256": "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos" }, "type": "X", "content": {},
        "signatures": { "domain": { "ed25519:1":
            "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg" } },
        "prev_events": [], "auth_events": [], "depth": 3, "unsigned": { "age_ts": 1_000_000 },
    });
    let signer = appendix_signer();
    let key = ServerKey { public: signer.public_key(), valid_until_ts: NOW, expired_ts: None };
    let keys: KeyMap = [(signer.server_name().clone(), [(signer.key_id().clone(), key)].into())].into();
    let pdu = Pdu::parse(minimal.to_string().as_bytes(), &rules).unwrap();
    assert_eq!(verify(&pdu, &rules, &keys, now()), Ok(Verified::All));

    let mut changed = minimal.clone();
    changed["content"] = json!({ "body": "redactable" });
    let pdu = Pdu::parse(changed.to_string().as_bytes(), &rules).unwrap();
    assert_eq!(verify(&pdu, &rules, &keys, now()), Ok(Verified::SignaturesOnly));
    let id = pdu.event_id.clone();
    let kept = verified(pdu, &rules, &keys, now()).unwrap();
    assert_eq!((kept.content.get(), kept.redacted, kept.event_id), ("{}", true, id));

    let mut forged = minimal;
    forged["depth"] = json!(4);
    let pdu = Pdu::parse(forged.to_string().as_bytes(), &rules).unwrap();
    assert!(matches!(verify(&pdu, &rules, &keys, now()), Err(VerifyError::Wrong(..))));
}

#[test]
fn our_events_verify_in_every_version_and_by_ruma() {
    for (version, rules) in versions() {
        let (mut room, tip) = TestRoom::furnished(&version, "public");
        let pdu = room.build(&[tip], "bob", "m.room.message", None, &json!({ "body": "hé" }));
        let keys = keys(&["hearth.test", "other.test"]);
        for pdu in room.events.values().map(|pdu| &**pdu).chain([&pdu]) {
            assert_eq!(verify(pdu, &rules, &keys, now()), Ok(Verified::All), "{version}");
            let object: CanonicalJsonObject = serde_json::from_slice(pdu.json()).unwrap();
            let map = keys
                .iter()
                .map(|(server, keys)| {
                    let set =
                        keys.iter().map(|(id, key)| (id.to_string(), ruma::serde::Base64::new(key.public.to_vec())));
                    (server.to_string(), set.collect())
                })
                .collect();
            assert_eq!(ruma::signatures::verify_event(&map, &object, &rules).unwrap(), ruma::signatures::Verified::All);
        }
        assert_eq!(needed_keys(&pdu, &rules).unwrap().len(), 1);
        assert!(matches!(verify(&pdu, &rules, &KeyMap::new(), now()), Err(VerifyError::Unsigned(_))));
    }
}

#[test]
fn a_second_signature_changes_nothing_but_that_it_is_there() {
    for (version, rules) in versions() {
        let (mut room, tip) = TestRoom::furnished(&version, "public");
        let pdu = room.build(&[tip], "bob", "m.room.message", None, &json!({ "body": "hé" }));
        let other = signer_of("third.test");
        let cosigned = pdu.cosigned(&other, &rules).unwrap();
        assert_eq!(cosigned.event_id, pdu.event_id, "{version}");
        assert_eq!(reference_hash(cosigned.json(), &rules), reference_hash(pdu.json(), &rules));
        assert_eq!(verify(&cosigned, &rules, &keys(&["hearth.test", "other.test"]), now()), Ok(Verified::All));
        let json: Value = serde_json::from_slice(cosigned.json()).unwrap();
        let ours: Value = serde_json::from_slice(pdu.json()).unwrap();
        let sender = pdu.sender.server_name().as_str();
        assert_eq!(json["signatures"][sender], ours["signatures"][sender]);
        let message = redacted_json(pdu.json(), "m.room.message", &rules.redaction, false);
        let signature = json["signatures"]["third.test"][other.key_id().as_str()].as_str().unwrap();
        assert!(verify_bytes(&other.public_key(), signature, &message), "{version}");
        // A second time, and by who has signed already: nothing is lost.
        assert_eq!(cosigned.cosigned(&other, &rules).unwrap().json(), cosigned.json());
    }
}

/// Which other servers than the sender's must have signed, per version.
#[test]
fn required_servers_depend_on_version_and_content() {
    for (version, rules) in versions() {
        let number: u8 = version.as_str().parse().unwrap();
        let (room, tip) = TestRoom::new(&version);
        let base: Value = serde_json::from_slice(room.events[&tip].json()).unwrap();
        let servers = |change: &dyn Fn(&mut Value)| -> Vec<String> {
            let mut event = base.clone();
            change(&mut event);
            let pdu = Pdu::parse(event.to_string().as_bytes(), &rules).unwrap();
            crate::verify::required_servers(&pdu, &rules).unwrap().iter().map(ToString::to_string).collect()
        };
        assert_eq!(servers(&|_| {}), ["hearth.test"]);
        let via = servers(&|event| event["content"]["join_authorised_via_users_server"] = json!("@m:z.test"));
        assert_eq!(via.len(), if number < 8 { 1 } else { 2 }, "{version}");
        let message = servers(&|event| {
            event["type"] = json!("m.room.message");
            event["content"]["join_authorised_via_users_server"] = json!("@m:z.test");
        });
        assert_eq!(message, ["hearth.test"]);
        let invite = servers(&|event| {
            event["sender"] = json!("@x:far.test");
            event["content"] = json!({ "membership": "invite", "third_party_invite": {} });
        });
        let of_id: &[&str] = if number < 3 { &["hearth.test"] } else { &[] };
        assert_eq!(invite, of_id);
    }
}

#[test]
fn from_version_5_on_keys_must_have_been_valid() {
    let key = |valid_until_ts, expired_ts| ServerKey { public: [0; 32], valid_until_ts, expired_ts };
    let week = NOW + MAX_KEY_VALIDITY_MS;
    for (key, time, ok) in [
        (key(NOW, None), NOW, true),
        (key(NOW - 1, None), NOW, false),
        (key(u64::MAX, None), week, true),
        (key(u64::MAX, None), week + 1, false),
        (key(0, Some(NOW)), NOW - 1, true),
        (key(u64::MAX, Some(NOW)), NOW, false),
    ] {
        for (version, rules) in versions() {
            let number: u8 = version.as_str().parse().unwrap();
            assert_eq!(key.is_valid_for(time, NOW, &rules), ok || number < 5, "{version} {key:?} {time}");
        }
    }
}
