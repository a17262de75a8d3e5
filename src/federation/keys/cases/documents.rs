use serde_json::{Value, json};

use super::rig::{DAY, NOW, document, key_id, name, signer, text};
use crate::keys::{Document, DocumentError, MAX_DOCUMENT_BYTES, OwnKeys};

fn changed(change: impl FnOnce(&mut Value)) -> Result<Document, DocumentError> {
    let mut value: Value = serde_json::from_str(&text(&document(&signer("a.test", "k", 1), &[], NOW))).unwrap();
    change(&mut value);
    Document::read(value.to_string().as_bytes())
}

#[test]
fn a_document_gives_keys_in_use_and_keys_that_were() {
    let (key, old) = (signer("a.test", "k", 1), signer("a.test", "o", 2));
    let document = Document::read(text(&document(&key, &[(&old, 5)], NOW)).as_bytes()).unwrap();
    assert_eq!((document.server, document.valid_until), (name("a.test"), NOW));
    assert_eq!(document.keys[&key_id("k")], key.public_key());
    assert_eq!(document.old[&key_id("o")], (old.public_key(), 5));
}

#[test]
fn our_own_document_is_good() {
    let own = OwnKeys::new(signer("us.test", "k", 1).into(), Vec::new());
    let document = Document::of(&name("us.test"), text(&own.document(NOW)).as_bytes()).unwrap();
    assert_eq!(document.valid_until, NOW + DAY);
}

#[test]
fn documents_without_old_keys_are_taken() {
    let key = signer("a.test", "k", 1);
    let mut object = document(&key, &[], NOW);
    object.remove("old_verify_keys");
    object.remove("signatures");
    key.sign_json(&mut object).unwrap();
    assert!(Document::read(text(&object).as_bytes()).is_ok());
}

#[test]
fn documents_that_prove_nothing_are_refused() {
    use DocumentError::{Field, NotJson, OtherServer, TooLarge, Unsigned, WrongSignature};
    let remove = |field: &'static str| move |value: &mut Value| drop(value.as_object_mut().unwrap().remove(field));
    assert_eq!(changed(remove("server_name")), Err(Field("server_name")));
    assert_eq!(changed(remove("valid_until_ts")), Err(Field("valid_until_ts")));
    assert_eq!(changed(remove("verify_keys")), Err(Field("verify_keys")));
    assert_eq!(changed(remove("signatures")), Err(Unsigned));
    assert_eq!(changed(|value| value["valid_until_ts"] = (NOW + 1).into()), Err(WrongSignature));
    assert_eq!(changed(|value| value["valid_until_ts"] = (-1).into()), Err(Field("valid_until_ts")));
    assert_eq!(changed(|value| value["valid_until_ts"] = json!(1.5)), Err(NotJson));
    assert_eq!(changed(|value| value["server_name"] = "b.test".into()), Err(Unsigned));
    assert_eq!(changed(|value| value["server_name"] = "not a name".into()), Err(Field("server_name")));
    assert_eq!(changed(|value| value["verify_keys"] = json!({ "ed25519:k": { "key": "AAAA" } })), Err(Unsigned));
    assert_eq!(changed(|value| value["verify_keys"] = json!({ "rsa:k": { "key": "AAAA" } })), Err(Unsigned));
    assert_eq!(changed(|value| value["signatures"] = json!({ "a.test": { "ed25519:k": 5 } })), Err(Unsigned));
    assert_eq!(changed(|value| value["more"] = "x".repeat(MAX_DOCUMENT_BYTES).into()), Err(TooLarge));
    let many = |value: &mut Value| {
        for n in 0..65 {
            value["old_verify_keys"][format!("ed25519:{n}")] = json!({ "key": "AAAA", "expired_ts": 1 });
        }
    };
    assert_eq!(changed(many), Err(TooLarge));
    assert_eq!(Document::read(b"[]"), Err(NotJson));
    let good = text(&document(&signer("a.test", "k", 1), &[], NOW));
    assert_eq!(Document::of(&name("b.test"), good.as_bytes()), Err(OtherServer("a.test".to_owned())));
}

proptest::proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes: Vec<u8>, cut in 0usize..400) {
        let good = text(&document(&signer("a.test", "k", 1), &[], NOW));
        let _ = Document::read(&bytes);
        let _ = Document::read(good.as_bytes().get(..cut).unwrap_or_default());
    }
}
