//! Names of users. Client-server API, appendix "User Identifiers".

use ruma::{OwnedUserId, ServerName, UserId};

use crate::{AccountError, Result};

/// Longest user id in bytes.
const MAX_BYTES: usize = 255;

/// The user id for a requested name: lower-cased, checked against the grammar.
///
/// # Errors
/// [`AccountError::InvalidName`]
pub(crate) fn user_id(name: &str, server: &ServerName) -> Result<OwnedUserId> {
    let name = name.to_ascii_lowercase();
    let fits = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'=' | b'-' | b'/' | b'+');
    if name.is_empty() || !name.bytes().all(fits) {
        return Err(AccountError::InvalidName);
    }
    let id = format!("@{name}:{server}");
    if id.len() > MAX_BYTES {
        return Err(AccountError::InvalidName);
    }
    UserId::parse(id).map_err(|_| AccountError::InvalidName)
}

/// The user that somebody means who logs in as `name`: a localpart or a whole id, in any case.
pub(crate) fn meant(name: &str, server: &ServerName) -> Option<OwnedUserId> {
    if !name.starts_with('@') {
        return user_id(name, server).ok();
    }
    let exact = UserId::parse(name).ok().filter(|id| id.server_name() == server)?;
    user_id(exact.localpart(), server).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ruma::server_name;

    use super::*;

    #[test]
    fn names_are_lower_cased_and_checked() {
        let server = server_name!("hearth.test");
        assert_eq!(user_id("Alice", server).unwrap(), "@alice:hearth.test");
        assert_eq!(user_id("a.b_c=d-e/f+0", server).unwrap(), "@a.b_c=d-e/f+0:hearth.test");
        for bad in ["", "al ice", "@alice", "alice:hearth.test", "älice", "a\0", "a%b", &"a".repeat(243)] {
            assert!(matches!(user_id(bad, server), Err(AccountError::InvalidName)), "{bad}");
        }
        assert!(user_id(&"a".repeat(242), server).is_ok());
    }

    #[test]
    fn who_logs_in_may_give_the_whole_id() {
        let server = server_name!("hearth.test");
        assert_eq!(meant("@Alice:hearth.test", server).unwrap(), "@alice:hearth.test");
        assert_eq!(meant("ALICE", server).unwrap(), "@alice:hearth.test");
        assert_eq!(meant("@alice:elsewhere.test", server), None);
        assert_eq!(meant("@", server), None);
    }

    proptest! {
        #[test]
        fn any_name_gives_an_id_of_this_server_or_an_error(name: String) {
            if let Ok(id) = user_id(&name, server_name!("hearth.test")) {
                prop_assert_eq!(id.server_name(), "hearth.test");
                prop_assert_eq!(id.localpart(), name.to_ascii_lowercase());
            }
        }
    }
}
