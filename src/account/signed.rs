//! Short-lived texts that a client brings back: signed by the server, so that nothing is stored until one is used.

use base::Millis;

/// Random characters, so that no two texts are equal.
const RANDOM: usize = 24;
/// Characters kept of the signature: 128 bits.
const SIGNATURE: usize = 32;

/// A text for `purpose` that is valid from `now` on.
pub(crate) fn make(secret: &[u8; 32], purpose: &str, now: Millis) -> String {
    let head = format!("{now:x}.{}", base::random::alphanumeric(RANDOM));
    let signature = sign(secret, purpose, &head);
    format!("{head}.{signature}")
}

/// Until when `text`, if it was made for `purpose`, is valid; `None` if it is not or was made elsewhere.
pub(crate) fn expires(secret: &[u8; 32], purpose: &str, text: &str, now: Millis, lives: Millis) -> Option<Millis> {
    let (head, signature) = text.rsplit_once('.')?;
    let (made, _) = head.split_once('.')?;
    let expires = Millis::from_str_radix(made, 16).ok()?.saturating_add(lives);
    (crate::token::same(signature, &sign(secret, purpose, head)) && now < expires).then_some(expires)
}

fn sign(secret: &[u8; 32], purpose: &str, head: &str) -> String {
    let mut signature = blake3::keyed_hash(secret, format!("{purpose}\0{head}").as_bytes()).to_hex().to_string();
    signature.truncate(SIGNATURE);
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_valid_for_its_purpose_and_time() {
        let secret = [7; 32];
        let text = make(&secret, "nonce", 1000);
        assert_eq!(expires(&secret, "nonce", &text, 1500, 1000), Some(2000));
        assert_eq!(expires(&secret, "nonce", &text, 2000, 1000), None);
        assert_eq!(expires(&secret, "other", &text, 1500, 1000), None);
        assert_eq!(expires(&[8; 32], "nonce", &text, 1500, 1000), None);
        for broken in ["", ".", "..", "3e8.x.", &text[1..], &text[..text.len() - 1]] {
            assert_eq!(expires(&secret, "nonce", broken, 1500, 1000), None, "{broken}");
        }
    }
}
