//! Whom a registration speaks for: regular expressions over user ids, aliases and room ids.

use regex::{Regex, RegexBuilder};

/// Largest compiled expression, in bytes: what takes more is no list of names.
const MAX_COMPILED: usize = 1 << 20;

/// One line of a registration.
#[derive(Debug, Clone)]
pub struct Namespace {
    /// Whether nobody else may have such names.
    pub exclusive: bool,
    regex: Regex,
}

impl Namespace {
    /// Names that begin with what `pattern` matches, as other servers read registrations. Matching takes linear time.
    ///
    /// # Errors
    /// What is wrong with the expression: look-around and back references are not known.
    pub fn new(pattern: &str, exclusive: bool) -> Result<Self, String> {
        let regex = RegexBuilder::new(&format!("^(?:{pattern})")).size_limit(MAX_COMPILED).build();
        let regex = regex.map_err(|error| error.to_string())?;
        Ok(Self { exclusive, regex })
    }

    /// Whether `name` is in it.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_from_their_beginning() {
        let namespace = Namespace::new("@_irc_.*|@irc:", true).unwrap();
        assert!(namespace.has("@_irc_bob:test.example"));
        assert!(namespace.has("@irc:test.example"));
        assert!(!namespace.has("@not@_irc_bob:test.example"));
    }

    #[test]
    fn what_would_not_run_in_linear_time_is_refused() {
        assert!(Namespace::new("@(?!bot).*", false).is_err());
        assert!(Namespace::new("(", false).is_err());
        assert!(Namespace::new("a{1000}{1000}", false).is_err());
    }
}
