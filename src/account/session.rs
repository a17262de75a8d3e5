//! Logging in, and whose an access token is.

use base::Millis;
use kv::{Read, Tx};
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};

use crate::{
    AccountError, Accounts, DeviceChange, Result,
    device::check_device_id,
    tables::{
        ACCESS, AccessRow, DEVICES, DeviceRow, PASSWORDS, REFRESH, RefreshRow, SESSIONS, SessionRow, TokenPair, USERS,
        UserRow,
    },
    token,
};

/// Characters of a device id that the server makes up.
const DEVICE_ID_LEN: usize = 10;

/// What a client says of the device that it logs in with.
#[derive(Debug, Clone, Default)]
pub struct NewDevice {
    /// An id of its own choice; a device that has it already loses its tokens and keeps the rest.
    pub id: Option<OwnedDeviceId>,
    /// The name of a device that is new.
    pub display_name: Option<String>,
    /// The client can refresh tokens, so they may expire.
    pub refresh: bool,
}

/// The tokens of a session that was begun or refreshed.
#[derive(Clone)]
pub struct Issued {
    /// Whose session it is.
    pub user: OwnedUserId,
    /// On which device.
    pub device: OwnedDeviceId,
    /// For the next requests.
    pub access_token: String,
    /// For the next access token.
    pub refresh_token: Option<String>,
    /// Milliseconds that the access token lives; `None` for as long as the device.
    pub expires_in_ms: Option<u64>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("user", &self.user).field("device", &self.device).finish_non_exhaustive()
    }
}

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The account.
    pub user: OwnedUserId,
    /// Its device.
    pub device: OwnedDeviceId,
    /// The flags of the account: `locked` must be refused everywhere but at log-out.
    pub account: UserRow,
}

/// Tokens made outside of the transaction that stores them.
pub(crate) struct Tokens {
    pub access: String,
    pub refresh: Option<String>,
    pub expires: Option<Millis>,
    pub refresh_expires: Option<Millis>,
    expires_in_ms: Option<u64>,
}

impl Tokens {
    pub(crate) fn pair(&self) -> TokenPair {
        TokenPair { access: token::hash(&self.access), refresh: self.refresh.as_deref().map(token::hash) }
    }

    pub(crate) fn issue(self, user: OwnedUserId, device: OwnedDeviceId) -> Issued {
        let Self { access, refresh, expires_in_ms, .. } = self;
        Issued { user, device, access_token: access, refresh_token: refresh, expires_in_ms }
    }
}

impl Accounts {
    /// Whose `access_token` is. One or two reads; the first use of a refreshed token writes once.
    ///
    /// # Errors
    /// [`AccountError::UnknownToken`]
    pub async fn who(&self, access_token: &str) -> Result<Who> {
        let view = self.db.view();
        let hash = token::hash(access_token);
        let unknown = AccountError::UnknownToken { soft_logout: false };
        let Some(row) = view.get(&ACCESS, hash).await? else { return Err(unknown) };
        if row.expires.is_some_and(|at| at <= self.clock.now()) {
            return Err(AccountError::UnknownToken { soft_logout: true });
        }
        let Some(account) = view.get(&USERS, &row.user).await? else { return Err(unknown) };
        if account.deactivated {
            return Err(unknown);
        }
        let AccessRow { user, device, fresh, .. } = row;
        if fresh {
            self.retire_previous(&user, &device, hash).await?;
        }
        Ok(Who { user, device, account })
    }

    /// Begins a session for who knows the password of `name`, a localpart or a user id in any case.
    ///
    /// # Errors
    /// [`AccountError::BadCredentials`] for a wrong password and for unknown users, after the same time;
    /// [`AccountError::Deactivated`], [`AccountError::Locked`].
    pub async fn log_in(&self, name: &str, password: &str, device: NewDevice) -> Result<Issued> {
        let user = self.meant(name);
        let phc = match &user {
            Some(user) => self.verified(user, password).await?,
            None => self.passwords.verify(password, None).await?.then(String::new),
        };
        match (user, phc) {
            (Some(user), Some(phc)) => self.begin_session(&user, device, Some(&phc)).await,
            _ => Err(AccountError::BadCredentials),
        }
    }

    /// Whether `password` is the one of `user`.
    ///
    /// # Errors
    /// [`AccountError::Deactivated`]
    pub async fn verify_password(&self, user: &UserId, password: &str) -> Result<bool> {
        Ok(self.verified(user, password).await?.is_some())
    }

    /// Begins a session for `user`, who has proved to be that otherwise (a login token, an administrator's act).
    ///
    /// # Errors
    /// [`AccountError::UnknownUser`], [`AccountError::Deactivated`], [`AccountError::Locked`],
    /// [`AccountError::BadDeviceId`], [`AccountError::DeviceIdTaken`].
    pub async fn log_in_as(&self, user: &UserId, device: NewDevice) -> Result<Issued> {
        self.begin_session(user, device, None).await
    }

    /// Sets the password of `user`; with `log_out` all devices but `keep` are removed.
    ///
    /// # Errors
    /// [`AccountError::WeakPassword`], [`AccountError::UnknownUser`].
    pub async fn set_password(
        &self,
        user: &UserId,
        password: &str,
        log_out: bool,
        keep: Option<&DeviceId>,
    ) -> Result<()> {
        let phc = self.passwords.hash(password).await?;
        kv::retry(|| async {
            let mut tx = self.db.begin();
            tx.get(&USERS, user).await?.filter(|row| !row.deactivated).ok_or(AccountError::UnknownUser)?;
            tx.put(&PASSWORDS, user, &phc);
            if log_out {
                self.remove_devices_in(&mut tx, user, keep).await?;
            }
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// The stored hash that `password` fits.
    async fn verified(&self, user: &UserId, password: &str) -> Result<Option<String>> {
        let view = self.db.view();
        let account = view.get(&USERS, user).await?;
        let phc = view.get(&PASSWORDS, user).await?;
        let right = self.passwords.verify(password, phc.clone()).await?;
        if account.is_some_and(|account| account.deactivated) {
            return Err(AccountError::Deactivated);
        }
        match phc.filter(|_| right) {
            Some(phc) => self.renew(user, password, phc).await.map(Some),
            None => Ok(None),
        }
    }

    /// Replaces the hash of an imported account, now that its password is known; the hash that is stored then.
    async fn renew(&self, user: &UserId, password: &str, phc: String) -> Result<String> {
        let Some(ours) = self.passwords.renewed(password, &phc).await? else { return Ok(phc) };
        kv::retry(|| async {
            let mut tx = self.db.begin();
            if tx.get(&PASSWORDS, user).await?.as_ref() != Some(&phc) {
                // Changed meanwhile: the caller will find that out.
                return Ok(phc.clone());
            }
            tx.put(&PASSWORDS, user, &ours);
            tx.commit().await?;
            Ok(ours.clone())
        })
        .await
    }

    async fn begin_session(&self, user: &UserId, device: NewDevice, phc: Option<&String>) -> Result<Issued> {
        let (id, tokens) = self.prepare(&device)?;
        let now = self.clock.now();
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let account = tx.get(&USERS, user).await?.ok_or(AccountError::UnknownUser)?;
            if account.deactivated {
                return Err(AccountError::Deactivated);
            }
            if account.locked {
                return Err(AccountError::Locked);
            }
            // The password may have been changed since it was verified.
            if phc.is_some() && tx.get(&PASSWORDS, user).await?.as_ref() != phc {
                return Err(AccountError::BadCredentials);
            }
            self.put_session(&mut tx, user, &id, &device, &tokens, now).await?;
            tx.commit().await?;
            Ok(())
        })
        .await?;
        Ok(tokens.issue(user.to_owned(), id))
    }

    /// The id and the tokens for a device that logs in.
    pub(crate) fn prepare(&self, device: &NewDevice) -> Result<(OwnedDeviceId, Tokens)> {
        let id = match &device.id {
            Some(id) => {
                check_device_id(id)?;
                id.clone()
            }
            None => base::random::alphanumeric(DEVICE_ID_LEN).to_ascii_uppercase().into(),
        };
        Ok((id, self.tokens(device.refresh)))
    }

    pub(crate) fn tokens(&self, refresh: bool) -> Tokens {
        let (now, config) = (self.clock.now(), &self.config.sessions);
        let lives = config.access_token_seconds.saturating_mul(1000);
        let refresh_lives = config.refresh_token_seconds.saturating_mul(1000);
        Tokens {
            access: token::fresh("hat"),
            refresh: refresh.then(|| token::fresh("hrt")),
            expires: refresh.then(|| now.saturating_add(lives)),
            refresh_expires: (refresh_lives > 0).then(|| now.saturating_add(refresh_lives)),
            expires_in_ms: refresh.then_some(lives),
        }
    }

    /// Stores a new session inside `tx`; the tokens that the device had die.
    pub(crate) async fn put_session(
        &self,
        tx: &mut Tx,
        user: &UserId,
        id: &DeviceId,
        device: &NewDevice,
        tokens: &Tokens,
        now: Millis,
    ) -> Result<()> {
        if !self.admitted(tx, user, id).await? {
            return Err(AccountError::DeviceIdTaken);
        }
        self.drop_session(tx, user, id).await?;
        if !tx.has(&DEVICES, (user, id)).await? {
            tx.put(&DEVICES, (user, id), &DeviceRow::new(now, device.display_name.as_deref()));
            self.project(tx, user, id, DeviceChange::Added).await?;
        }
        tx.put(&SESSIONS, (user, id), &SessionRow { current: tokens.pair(), previous: None });
        Self::put_tokens(tx, user, id, tokens, false);
        Ok(())
    }

    pub(crate) fn put_tokens(tx: &mut Tx, user: &UserId, device: &DeviceId, tokens: &Tokens, fresh: bool) {
        let pair = tokens.pair();
        let (user, device) = (user.to_owned(), device.to_owned());
        let row = AccessRow { user: user.clone(), device: device.clone(), expires: tokens.expires, fresh };
        tx.put(&ACCESS, pair.access, &row);
        if let Some(refresh) = pair.refresh {
            tx.put(&REFRESH, refresh, &RefreshRow { user, device, expires: tokens.refresh_expires });
        }
    }

    /// Removes all tokens of a device inside `tx`.
    pub(crate) async fn drop_session(&self, tx: &mut Tx, user: &UserId, device: &DeviceId) -> kv::Result<()> {
        if let Some(session) = tx.get(&SESSIONS, (user, device)).await? {
            Self::drop_pair(tx, &session.current);
            if let Some(previous) = &session.previous {
                Self::drop_pair(tx, previous);
            }
            tx.delete(&SESSIONS, (user, device));
        }
        Ok(())
    }

    pub(crate) fn drop_pair(tx: &mut Tx, pair: &TokenPair) {
        tx.delete(&ACCESS, pair.access);
        if let Some(refresh) = pair.refresh {
            tx.delete(&REFRESH, refresh);
        }
    }
}
