use std::fmt;

use kv::{Positions, WriterId};

/// Where a client stands in the stream: opaque to it, versioned, and bound to one life of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncToken {
    /// The database's epoch; a restore from a backup changes it.
    pub epoch: String,
    /// Everything up to here has been sent.
    pub positions: Positions,
    /// Messages to the device were sent with it, up to here.
    pub mail: Option<Positions>,
}

impl fmt::Display for SyncToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s1_{}", self.epoch)?;
        self.positions.iter().try_for_each(|(writer, n)| write!(f, "_{}.{n}", writer.0))?;
        self.mail.iter().flat_map(Positions::iter).try_for_each(|(writer, n)| write!(f, "_d{}.{n}", writer.0))
    }
}

impl SyncToken {
    /// Whether there were more messages to the device than were sent.
    pub fn is_behind(&self) -> bool {
        self.mail.as_ref().is_some_and(|mail| *mail != self.positions)
    }

    /// Reads what [`fmt::Display`] wrote; `None` if it is no sync token.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('_');
        if parts.next()? != "s1" {
            return None;
        }
        let epoch = parts.next()?.to_owned();
        let (mut positions, mut mail) = (Positions::default(), None);
        for part in parts {
            let (into, part) = match part.strip_prefix('d') {
                Some(part) => (mail.get_or_insert_with(Positions::default), part),
                None => (&mut positions, part),
            };
            let (writer, n) = part.split_once('.')?;
            into.advance(WriterId(writer.parse().ok()?), n.parse().ok()?);
        }
        Some(Self { epoch, positions, mail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back() {
        let positions = [(WriterId(1), 7), (WriterId(3), 99)].into_iter().collect();
        let mut token = SyncToken { epoch: "aBc".into(), positions, mail: None };
        assert_eq!(token.to_string(), "s1_aBc_1.7_3.99");
        assert_eq!(SyncToken::parse(&token.to_string()), Some(token.clone()));
        token.mail = Some([(WriterId(1), 5)].into_iter().collect());
        assert_eq!(token.to_string(), "s1_aBc_1.7_3.99_d1.5");
        assert!(token.is_behind());
        assert_eq!(SyncToken::parse(&token.to_string()), Some(token));
    }

    #[test]
    fn other_text_is_no_token() {
        for text in ["", "s1", "s2_a_1.1", "s1_a_1", "s1_a_x.1", "t1_2"] {
            assert_eq!(SyncToken::parse(text).filter(|token| !token.positions.iter().eq([])), None, "{text}");
        }
    }
}
