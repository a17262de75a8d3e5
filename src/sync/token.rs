use std::fmt;

use kv::{Positions, WriterId};

/// Where a client stands in the stream: opaque to it, versioned, and bound to one life of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncToken {
    /// The database's epoch; a restore from a backup changes it.
    pub epoch: String,
    /// Everything up to here has been sent.
    pub positions: Positions,
}

impl fmt::Display for SyncToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s1_{}", self.epoch)?;
        self.positions.iter().try_for_each(|(writer, n)| write!(f, "_{}.{n}", writer.0))
    }
}

impl SyncToken {
    /// Reads what [`fmt::Display`] wrote; `None` if it is no sync token.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('_');
        if parts.next()? != "s1" {
            return None;
        }
        let epoch = parts.next()?.to_owned();
        let positions = parts
            .map(|part| {
                let (writer, n) = part.split_once('.')?;
                Some((WriterId(writer.parse().ok()?), n.parse().ok()?))
            })
            .collect::<Option<Positions>>()?;
        Some(Self { epoch, positions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back() {
        let positions = [(WriterId(1), 7), (WriterId(3), 99)].into_iter().collect();
        let token = SyncToken { epoch: "aBc".into(), positions };
        assert_eq!(token.to_string(), "s1_aBc_1.7_3.99");
        assert_eq!(SyncToken::parse(&token.to_string()), Some(token));
    }

    #[test]
    fn other_text_is_no_token() {
        for text in ["", "s1", "s2_a_1.1", "s1_a_1", "s1_a_x.1", "t1_2"] {
            assert_eq!(SyncToken::parse(text).filter(|token| !token.positions.iter().eq([])), None, "{text}");
        }
    }
}
