//! Key documents of other servers, also such as are signed with the keys that they list.
#![no_main]

use event::Signer;
use federation::keys::{Document, MAX_KEYS};
use libfuzzer_sys::fuzz_target;
use ruma::{CanonicalJsonObject, CanonicalJsonValue};

fn check(json: &[u8]) -> bool {
    let Ok(document) = Document::read(json) else { return false };
    assert!(document.keys.len() + document.old.len() <= MAX_KEYS);
    assert!(!document.keys.is_empty(), "somebody must have signed it");
    true
}

fuzz_target!(|data: &[u8]| {
    check(data);
    let Ok(mut object) = serde_json::from_slice::<CanonicalJsonObject>(data) else { return };
    let Some(CanonicalJsonValue::String(name)) = object.get("server_name") else { return };
    let Ok(name) = name.as_str().try_into() else { return };
    let signer = Signer::new(name, "ed25519:1".try_into().expect("a key id"), &[2; 32]);
    let key = CanonicalJsonObject::from([("key".to_owned(), signer.public_key_base64().into())]);
    match object.get_mut("verify_keys") {
        Some(CanonicalJsonValue::Object(keys)) => keys.insert("ed25519:1".to_owned(), key.into()),
        _ => return,
    };
    object.remove("signatures");
    signer.sign_json(&mut object).expect("an object can be signed");
    check(&serde_json::to_vec(&object).expect("JSON"));
});
