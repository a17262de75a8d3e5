//! Refresh tokens. Client-server API, "Refreshing access tokens": the old refresh token works until the new tokens
//! are used, so that a lost answer does not log anybody out.

use kv::Read;
use ruma::{DeviceId, UserId};

use crate::{
    AccountError, Accounts, Issued, Result,
    tables::{ACCESS, REFRESH, RefreshRow, SESSIONS, SessionRow, TokenHash, USERS},
    token,
};

impl Accounts {
    /// Gives new tokens for a refresh token.
    ///
    /// # Errors
    /// [`AccountError::UnknownToken`] when it is unknown, expired or was superseded; [`AccountError::Locked`].
    pub async fn refresh(&self, refresh_token: &str) -> Result<Issued> {
        let hash = token::hash(refresh_token);
        let tokens = self.tokens(true);
        let now = self.clock.now();
        let (user, device) = kv::retry(|| async {
            let mut tx = self.db.begin();
            let unknown = AccountError::UnknownToken { soft_logout: false };
            let Some(RefreshRow { user, device, expires }) = tx.get(&REFRESH, hash).await? else { return Err(unknown) };
            if expires.is_some_and(|at| at <= now) {
                return Err(AccountError::UnknownToken { soft_logout: true });
            }
            let account = tx.get(&USERS, &user).await?;
            if account.is_some_and(|account| account.locked) {
                return Err(AccountError::Locked);
            }
            let Some(session) = tx.get(&SESSIONS, (&user, &device)).await? else { return Err(unknown) };
            let previous = if session.current.refresh == Some(hash) {
                // The current tokens are used by this, so those before them die.
                if let Some(older) = &session.previous {
                    Self::drop_pair(&mut tx, older);
                }
                session.current
            } else {
                // The answer with the current tokens was lost.
                Self::drop_pair(&mut tx, &session.current);
                session.previous.ok_or(unknown)?
            };
            let session = SessionRow { current: tokens.pair(), previous: Some(previous) };
            tx.put(&SESSIONS, (&user, &device), &session);
            Self::put_tokens(&mut tx, &user, &device, &tokens, true);
            tx.commit().await?;
            Ok((user, device))
        })
        .await?;
        Ok(tokens.issue(user, device))
    }

    /// Ends the tokens before the current ones, as the current access token is used for the first time.
    pub(crate) async fn retire_previous(&self, user: &UserId, device: &DeviceId, access: TokenHash) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let session = tx.get(&SESSIONS, (user, device)).await?;
            let Some(mut session) = session.filter(|session| session.current.access == access) else {
                return Ok(());
            };
            let Some(mut row) = tx.get(&ACCESS, access).await? else { return Ok(()) };
            if let Some(previous) = session.previous.take() {
                Self::drop_pair(&mut tx, &previous);
            }
            row.fresh = false;
            tx.put(&ACCESS, access, &row);
            tx.put(&SESSIONS, (user, device), &session);
            tx.commit().await?;
            Ok(())
        })
        .await
    }
}
