//! Content and reference hashes of canonical events.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use ruma::room_version_rules::{EventIdFormatVersion, RoomVersionRules};
use sha2::{Digest as _, Sha256};

use crate::{
    redact::{push_entry, redacted_json},
    scan::{Fields, field, unescaped, unquoted},
};

/// Padding is not written, but accepted, as are stray bits in the last character.
pub(crate) const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The hash over the whole event but `hashes`, `signatures` and `unsigned`; goes into `hashes.sha256`.
pub(crate) fn content_hash(json: &[u8]) -> [u8; 32] {
    let mut out = Vec::with_capacity(json.len());
    out.push(b'{');
    for (key, value) in Fields::of(json) {
        if !matches!(key, b"hashes" | b"signatures" | b"unsigned") {
            push_entry(&mut out, key, value.of(json));
        }
    }
    out.push(b'}');
    Sha256::digest(&out).into()
}

/// Unpadded standard base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD_NO_PAD.encode(bytes)
}

/// The text of a reference hash: standard base64 up to room version 3, URL-safe from 4 on.
pub(crate) fn encode_reference(digest: &[u8], rules: &RoomVersionRules) -> String {
    match rules.event_id_format {
        EventIdFormatVersion::V1 | EventIdFormatVersion::V2 => BASE64_STANDARD_NO_PAD.encode(digest),
        _ => BASE64_URL_SAFE_NO_PAD.encode(digest),
    }
}

/// The reference hash of a canonical event: from room version 3 on its id without the `$`, before
/// that what `prev_events` and `auth_events` of other events name beside the id.
#[must_use]
pub fn reference_hash(json: &[u8], rules: &RoomVersionRules) -> String {
    let kind = field(json, "type").and_then(|value| unquoted(json, value)).and_then(|text| unescaped(json, text));
    let signed = redacted_json(json, &kind.unwrap_or_default(), &rules.redaction, false);
    encode_reference(&Sha256::digest(&signed), rules)
}
