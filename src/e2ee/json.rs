//! Reading and checking signed JSON.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue,
    signatures::{SigningKeyAlgorithm, to_canonical_json_string_for_signing, verify_canonical_json_bytes},
};

/// Takes base64 with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The canonical text of an object.
pub fn text(object: &CanonicalJsonObject) -> String {
    serde_json::to_string(object).unwrap_or_default()
}

/// An object that is stored; an empty one if it does not parse, which [`text`] never wrote.
pub fn object(json: &str) -> CanonicalJsonObject {
    serde_json::from_str(json).unwrap_or_default()
}

/// A member that is a string.
pub fn string<'a>(object: &'a CanonicalJsonObject, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}

/// A member that is an object.
pub fn member<'a>(object: &'a CanonicalJsonObject, key: &str) -> Option<&'a CanonicalJsonObject> {
    object.get(key)?.as_object()
}

/// The signatures of `signer` on an object, by key id.
pub fn signatures_of<'a>(
    object: &'a CanonicalJsonObject,
    signer: &str,
) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    let signatures = member(object, "signatures").and_then(|all| member(all, signer));
    signatures.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// Adds a signature.
pub fn add_signature(object: &mut CanonicalJsonObject, signer: &str, key: &str, signature: &str) {
    let empty = || CanonicalJsonValue::Object(CanonicalJsonObject::new());
    let all = object.entry("signatures".to_owned()).or_insert_with(empty);
    let CanonicalJsonValue::Object(all) = all else { return };
    if let CanonicalJsonValue::Object(own) = all.entry(signer.to_owned()).or_insert_with(empty) {
        own.insert(key.to_owned(), CanonicalJsonValue::String(signature.to_owned()));
    }
}

/// What is signed: the object without `signatures` and `unsigned`.
pub fn signed_part(object: &CanonicalJsonObject) -> String {
    to_canonical_json_string_for_signing(object).unwrap_or_default()
}

/// Whether `signature` is one of `object` by the ed25519 key `public`; both are base64.
pub fn is_signed(object: &CanonicalJsonObject, public: &str, signature: &str) -> bool {
    let (Ok(public), Ok(signature)) = (LENIENT.decode(public), LENIENT.decode(signature)) else { return false };
    let message = signed_part(object);
    verify_canonical_json_bytes(&SigningKeyAlgorithm::Ed25519, &public, &signature, message.as_bytes()).is_ok()
}
