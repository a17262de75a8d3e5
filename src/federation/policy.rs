use std::sync::Arc;

use ruma::ServerName;

use crate::Config;

/// With which servers there is federation at all. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Policy(Arc<Lists>);

#[derive(Debug)]
struct Lists {
    enabled: bool,
    allowed: Vec<String>,
    denied: Vec<String>,
}

impl Policy {
    /// What the configuration says.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let lower = |list: &[String]| list.iter().map(|glob| glob.to_ascii_lowercase()).collect();
        Self(Arc::new(Lists {
            enabled: config.enabled,
            allowed: lower(&config.allowed_servers),
            denied: lower(&config.denied_servers),
        }))
    }

    /// Whether this server is talked to and listened to. A pattern that matches the name without its port matches.
    #[must_use]
    pub fn allows(&self, server: &ServerName) -> bool {
        let (full, host) = (server.as_str().to_ascii_lowercase(), server.host().to_ascii_lowercase());
        let listed = |list: &[String]| list.iter().any(|glob| matches(glob, &full) || matches(glob, &host));
        let Lists { enabled, allowed, denied } = &*self.0;
        *enabled && !listed(denied) && (allowed.is_empty() || listed(allowed))
    }
}

/// Whether a text matches a pattern with `*` for any characters and `?` for one. Steps: at most the product of both
/// lengths; a server's name is short and the operator wrote the pattern.
fn matches(glob: &str, text: &str) -> bool {
    let (glob, text) = (glob.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where the last star stands, and the text from which it has been tried.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match (glob.get(at), text.get(seen)) {
            (Some(b'*'), _) => {
                star = Some((at, seen));
                at += 1;
            }
            (Some(b'?'), Some(_)) => (at, seen) = (at + 1, seen + 1),
            (Some(a), Some(b)) if a == b => (at, seen) = (at + 1, seen + 1),
            _ => match star {
                Some((place, from)) => {
                    star = Some((place, from + 1));
                    (at, seen) = (place + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    glob.get(at..).is_none_or(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use ruma::server_name;

    use super::*;

    fn policy(allowed: &[&str], denied: &[&str]) -> Policy {
        let list = |list: &[&str]| list.iter().map(|&glob| glob.to_owned()).collect();
        Policy::new(&Config { allowed_servers: list(allowed), denied_servers: list(denied), ..Config::default() })
    }

    #[test]
    fn empty_lists_allow_every_server() {
        assert!(policy(&[], &[]).allows(server_name!("example.org")));
    }

    #[test]
    fn nobody_is_allowed_when_federation_is_off() {
        let policy = Policy::new(&Config { enabled: false, ..Config::default() });
        assert!(!policy.allows(server_name!("example.org")));
    }

    #[test]
    fn the_list_of_denied_servers_wins() {
        let policy = policy(&["*.example.org"], &["bad.*"]);
        assert!(policy.allows(server_name!("good.example.org")));
        assert!(!policy.allows(server_name!("bad.example.org")));
        assert!(!policy.allows(server_name!("example.com")));
    }

    #[test]
    fn ports_and_capitals_do_not_help_to_get_round_a_pattern() {
        assert!(!policy(&[], &["evil.org"]).allows(server_name!("EVIL.org:8448")));
        assert!(!policy(&[], &["evil.org:8448"]).allows(server_name!("evil.org:8448")));
        assert!(policy(&[], &["evil.org:8448"]).allows(server_name!("evil.org")));
    }

    #[test]
    fn stars_stand_for_any_characters_and_question_marks_for_one() {
        for (glob, text, expected) in [
            ("*", "", true),
            ("a*b*c", "a--b--bc", true),
            ("a*b*c", "a--b--b", false),
            ("?.org", "a.org", true),
            ("?.org", ".org", false),
            ("ab", "abc", false),
            ("ab*", "ab", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
    }
}
