//! Which invites a user wants: account data `m.invite_permission_config` (client-server API v1.18, "Invite
//! permission"; MSC4380) and `org.matrix.msc4155.invite_permission_config` (MSC4155).

use base::glob::Glob;
use kv::Read;
use ruma::UserId;
use serde::Deserialize;

use crate::AccountData;

/// Most patterns of one list that are looked at.
const MAX_PATTERNS: usize = 1000;

/// What becomes of an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviteVerdict {
    /// It is shown.
    Show,
    /// Whoever sends it is not told that the user never sees it.
    Hide,
    /// It is refused.
    Refuse,
}

/// Whose invites a user wants.
#[derive(Debug, Clone, Default)]
pub struct InviteFilter {
    none: bool,
    lists: Lists,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Lists {
    allowed_users: Option<Vec<String>>,
    ignored_users: Option<Vec<String>>,
    blocked_users: Option<Vec<String>>,
    allowed_servers: Option<Vec<String>>,
    ignored_servers: Option<Vec<String>>,
    blocked_servers: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
struct Simple {
    #[serde(default)]
    default_action: Option<String>,
}

impl InviteFilter {
    /// What `user` has set.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn of(read: &impl Read, user: &UserId) -> kv::Result<Self> {
        let simple = AccountData::get_in(read, user, None, "m.invite_permission_config").await?;
        let lists = AccountData::get_in(read, user, None, "org.matrix.msc4155.invite_permission_config").await?;
        Ok(Self::parse(simple.as_deref(), lists.as_deref()))
    }

    /// Reads both kinds of setting; what cannot be read sets nothing.
    fn parse(simple: Option<&str>, lists: Option<&str>) -> Self {
        let simple: Simple = simple.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let lists = lists.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        Self { none: simple.default_action.as_deref() == Some("block"), lists }
    }

    /// What becomes of an invite that `sender` sends.
    pub fn verdict(&self, sender: &UserId) -> InviteVerdict {
        if self.none {
            return InviteVerdict::Refuse;
        }
        let (user, server) = (sender.as_str(), sender.server_name().as_str());
        // MSC4155: the first list that names the sender decides.
        let lists = [
            (&self.lists.allowed_users, user, InviteVerdict::Show),
            (&self.lists.ignored_users, user, InviteVerdict::Hide),
            (&self.lists.blocked_users, user, InviteVerdict::Refuse),
            (&self.lists.allowed_servers, server, InviteVerdict::Show),
            (&self.lists.ignored_servers, server, InviteVerdict::Hide),
            (&self.lists.blocked_servers, server, InviteVerdict::Refuse),
        ];
        let found = lists.into_iter().find(|(list, name, _)| names(list.as_deref(), name));
        found.map_or(InviteVerdict::Show, |(_, _, verdict)| verdict)
    }
}

fn names(list: Option<&[String]>, name: &str) -> bool {
    let patterns = list.unwrap_or_default().iter().take(MAX_PATTERNS);
    patterns.filter_map(|pattern| Glob::new(pattern)).any(|glob| glob.matches(name))
}

#[cfg(test)]
mod tests {
    use InviteVerdict::{Hide, Refuse, Show};
    use serde_json::json;

    use super::*;

    fn verdict(lists: &serde_json::Value, sender: &str) -> InviteVerdict {
        InviteFilter::parse(None, Some(&lists.to_string())).verdict(<&UserId>::try_from(sender).unwrap())
    }

    #[test]
    fn the_first_list_that_names_the_sender_decides() {
        let lists = json!({
            "allowed_users": ["@good:bad.org"], "ignored_users": ["@dull*:*"], "blocked_users": ["@spam:*"],
            "allowed_servers": ["good.org"], "ignored_servers": ["*.dull.org"], "blocked_servers": ["*.org"],
        });
        for (sender, expected) in [
            ("@good:bad.org", Show),
            ("@other:bad.org", Refuse),
            ("@dull1:good.org", Hide),
            ("@spam:good.org", Refuse),
            ("@a:good.org", Show),
            ("@a:very.dull.org", Hide),
            ("@a:b.net", Show),
        ] {
            assert_eq!(verdict(&lists, sender), expected, "{sender}");
        }
    }

    #[test]
    fn lists_may_be_null_or_missing_and_nonsense_sets_nothing() {
        assert_eq!(verdict(&json!({ "blocked_users": null }), "@a:b"), Show);
        assert_eq!(verdict(&json!({}), "@a:b"), Show);
        assert_eq!(verdict(&json!({ "blocked_users": "@a:b" }), "@a:b"), Show);
        assert_eq!(verdict(&json!([]), "@a:b"), Show);
    }

    #[test]
    fn who_wants_no_invites_gets_none() {
        let filter = InviteFilter::parse(Some(r#"{"default_action":"block"}"#), Some(r#"{"allowed_users":["*"]}"#));
        assert_eq!(filter.verdict(<&UserId>::try_from("@a:b").unwrap()), Refuse);
    }
}
