//! Random identifiers and secrets, from a cryptographic generator that the operating system seeds.

use rand::distr::{Alphanumeric, SampleString};

/// `len` characters of `A-Za-z0-9`, about 5.95 bits of entropy each.
pub fn alphanumeric(len: usize) -> String {
    Alphanumeric.sample_string(&mut rand::rng(), len)
}

/// `N` random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    rand::fill(&mut out[..]);
    out
}
