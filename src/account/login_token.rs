//! Tokens that log a second client in. Client-server API, "Token-based login" and `POST /login/get_token`.

use kv::Read;
use ruma::UserId;

use crate::{
    AccountError, Accounts, Issued, NewDevice, Result,
    tables::{LOGIN_TOKENS, OneTimeRow},
    token,
};

/// How long a login token may be used, as the specification suggests.
const LIVES_MS: u64 = 120_000;

impl Accounts {
    /// A token that logs in as `user` once, and the milliseconds that it may be used.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn login_token(&self, user: &UserId) -> Result<(String, u64)> {
        let token = token::fresh("hlt");
        let row = OneTimeRow { user: user.to_owned(), expires: self.clock.now().saturating_add(LIVES_MS) };
        let mut tx = self.db.begin();
        tx.put(&LOGIN_TOKENS, token::hash(&token), &row);
        tx.commit().await?;
        Ok((token, LIVES_MS))
    }

    /// Begins a session with a token of [`Accounts::login_token`], which is used up by that.
    ///
    /// # Errors
    /// [`AccountError::BadCredentials`] when it is unknown, used or expired, and those of [`Accounts::log_in_as`].
    pub async fn log_in_by_token(&self, login_token: &str, device: NewDevice) -> Result<Issued> {
        let hash = token::hash(login_token);
        let row = kv::retry(|| async {
            let mut tx = self.db.begin();
            let row = tx.get(&LOGIN_TOKENS, hash).await?.ok_or(AccountError::BadCredentials)?;
            tx.delete(&LOGIN_TOKENS, hash);
            tx.commit().await?;
            Ok::<_, AccountError>(row)
        })
        .await?;
        if row.expires <= self.clock.now() {
            return Err(AccountError::BadCredentials);
        }
        self.log_in_as(&row.user, device).await
    }
}
