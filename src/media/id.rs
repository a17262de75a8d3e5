use std::fmt;

/// Characters of a new id; 24 of them hold 142 random bits.
const NEW_LEN: usize = 24;
/// Longest id accepted, in bytes.
const MAX_LEN: usize = 255;

/// The second half of an `mxc://` address: 1 to 255 characters of `A-Za-z0-9_-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MediaId(String);

impl MediaId {
    /// `id`, if it is well-formed. Client-server API v1.19, "Matrix Content (`mxc://`) URIs".
    pub fn parse(id: &str) -> Option<Self> {
        let well_formed = (1..=MAX_LEN).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        well_formed.then(|| Self(id.to_owned()))
    }

    /// A fresh one that nobody can guess.
    pub fn random() -> Self {
        Self(base::random::alphanumeric(NEW_LEN))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_letters_digits_underscores_and_hyphens() {
        for good in ["a", "aZ0_-", &"x".repeat(255)] {
            assert!(MediaId::parse(good).is_some(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a\0", "ä", "a.b", "%2e", &"x".repeat(256)] {
            assert!(MediaId::parse(bad).is_none(), "{bad}");
        }
        assert!(MediaId::parse(MediaId::random().as_str()).is_some());
    }
}
