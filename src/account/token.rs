//! Tokens: random text for clients, hashes for the tables.

use crate::tables::TokenHash;

/// Random characters of a token: about 238 bits.
const LEN: usize = 40;

/// A new token; `kind` in front tells people and secret scanners what they have found.
pub(crate) fn fresh(kind: &str) -> String {
    format!("{kind}_{}", base::random::alphanumeric(LEN))
}

/// What is stored of a token.
pub(crate) fn hash(token: &str) -> TokenHash {
    *blake3::hash(token.as_bytes()).as_bytes()
}

/// Whether two secrets are equal, in time that does not tell where they differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    subtle::ConstantTimeEq::ct_eq(&hash(a)[..], &hash(b)[..]).into()
}
