//! Access to the TURN servers by which calls get through firewalls. Client-server API, "Voice over IP".

use base::Millis;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use ruma::UserId;
use sha1::Sha1;

use crate::{Accounts, config::TurnConfig};

/// What a client tells a TURN server.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnAccess {
    /// Its name there.
    pub username: String,
    /// Its password there.
    pub password: String,
    /// Where the servers are.
    pub uris: Vec<String>,
    /// Seconds until it has to ask again.
    pub lives_seconds: u64,
}

impl Accounts {
    /// How `user` gets at the TURN servers; `None` when there are none.
    pub fn turn_access(&self, user: &UserId) -> Option<TurnAccess> {
        access(&self.config.turn, user, self.clock.now())
    }
}

/// With a shared secret, a password for this user and this time: draft-uberti-behave-turn-rest-00, section 2.2.
fn access(config: &TurnConfig, user: &UserId, now: Millis) -> Option<TurnAccess> {
    let (username, password) = match (&config.shared_secret, &config.username, &config.password) {
        (Some(secret), ..) => {
            let username = format!("{}:{user}", (now / 1000).saturating_add(config.lifetime_seconds));
            let password = sign(secret, &username)?;
            (username, password)
        }
        (None, Some(username), Some(password)) => (username.clone(), password.clone()),
        _ => return None,
    };
    let uris = config.uris.clone();
    (!uris.is_empty()).then_some(TurnAccess { username, password, uris, lives_seconds: config.lifetime_seconds })
}

fn sign(secret: &str, username: &str) -> Option<String> {
    // A key of any length is allowed, so this is never `None`.
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(username.as_bytes());
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    fn config() -> TurnConfig {
        TurnConfig { uris: vec!["turn:turn.hearth.test?transport=udp".into()], ..TurnConfig::default() }
    }

    #[test]
    fn a_shared_secret_makes_a_password_for_the_user_and_the_time() {
        let config =
            TurnConfig { shared_secret: Some("n0t4ctuAl1yS3cret".into()), lifetime_seconds: 86400, ..config() };
        let access = access(&config, user_id!("@alice:hearth.test"), 1_000_000_500).unwrap();
        assert_eq!(access.username, "1086400:@alice:hearth.test");
        // printf '1086400:@alice:hearth.test' | openssl dgst -sha1 -hmac n0t4ctuAl1yS3cret -binary | base64
        assert_eq!(access.password, "4HsVZLmjXYg7k0bK6EWJ7ScJooE=");
        assert_eq!((access.uris, access.lives_seconds), (config.uris, 86400));
    }

    #[test]
    fn a_fixed_name_and_password_are_given_as_they_are() {
        let config = TurnConfig { username: Some("relay".into()), password: Some("open".into()), ..config() };
        let access = access(&config, user_id!("@alice:hearth.test"), 0).unwrap();
        assert_eq!((&*access.username, &*access.password), ("relay", "open"));
    }

    #[test]
    fn without_servers_or_without_a_password_there_is_nothing() {
        let user = user_id!("@alice:hearth.test");
        assert!(access(&config(), user, 0).is_none());
        let config = TurnConfig { shared_secret: Some("secret".into()), ..TurnConfig::default() };
        assert!(access(&config, user, 0).is_none());
    }
}
