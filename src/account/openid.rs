//! Tokens that prove to a third party who a user is. Client-server API, "OpenID".

use kv::Read;
use ruma::{OwnedUserId, UserId};

use crate::{
    Accounts, Result,
    tables::{OPENID, OneTimeRow, USERS},
    token,
};

/// How long an OpenID token proves something: the specification's example.
const LIVES_MS: u64 = 3_600_000;

/// A token for a third party.
#[derive(Clone)]
pub struct OpenIdToken {
    /// What the third party brings to `/federation/v1/openid/userinfo`.
    pub token: String,
    /// Milliseconds that it works.
    pub expires_in_ms: u64,
}

impl Accounts {
    /// A token by which a third party can learn that it talks to `user`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn openid_token(&self, user: &UserId) -> Result<OpenIdToken> {
        let token = token::fresh("hot");
        let row = OneTimeRow { user: user.to_owned(), expires: self.clock.now().saturating_add(LIVES_MS) };
        let mut tx = self.db.begin();
        tx.put(&OPENID, token::hash(&token), &row);
        tx.commit().await?;
        Ok(OpenIdToken { token, expires_in_ms: LIVES_MS })
    }

    /// Who an OpenID token stands for.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn openid_user(&self, openid_token: &str) -> Result<Option<OwnedUserId>> {
        let view = self.db.view();
        let row = view.get(&OPENID, token::hash(openid_token)).await?;
        let Some(row) = row.filter(|row| row.expires > self.clock.now()) else { return Ok(None) };
        let active = view.get(&USERS, &row.user).await?.is_some_and(|user| !user.deactivated && !user.locked);
        Ok(active.then_some(row.user))
    }
}
