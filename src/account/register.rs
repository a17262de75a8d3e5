//! Creating accounts.

use kv::Read;
use ruma::OwnedUserId;

use crate::{
    AccountError, Accounts, Issued, NewDevice, RegistrationMode, Result, UiaFlow, UserRow, stage, tables::FIRST_ADMIN,
    token,
};

/// Characters of a name that the server makes up.
const NAME_LEN: usize = 12;
/// Longest registration token. Client-server API, "Token-authenticated registration".
const MAX_REGISTRATION_TOKEN: usize = 64;

/// Why somebody may create an account.
#[derive(Clone, PartialEq, Eq)]
pub enum Permit {
    /// The registration mode allows it.
    Mode,
    /// The token for the first administrator, which is void afterwards.
    FirstAdmin(String),
    /// An operator of the server wants it.
    Operator {
        /// The account may administrate the server.
        admin: bool,
    },
    /// An application service wants it, in its namespaces; names that are reserved for people are free to it.
    Appservice,
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mode => "Mode",
            Self::FirstAdmin(_) => "FirstAdmin",
            Self::Operator { .. } => "Operator",
            Self::Appservice => "Appservice",
        })
    }
}

/// An account to create.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The wanted localpart in any case; `None` lets the server make one up.
    pub name: Option<String>,
    /// Its hash, from [`Accounts::hash_password`]; `None` for an account that logs in otherwise.
    pub phc: Option<String>,
    /// Why it may be created.
    pub permit: Permit,
    /// Log in at once with this device.
    pub device: Option<NewDevice>,
}

impl Accounts {
    /// Ways to prove that one may register now; several stages each.
    ///
    /// # Errors
    /// [`AccountError::RegistrationClosed`] when there is none.
    pub async fn registration_flows(&self) -> Result<Vec<UiaFlow>> {
        // The second stage proves nothing, but there are clients that know this flow only with it.
        let with_token = UiaFlow(vec![stage::REGISTRATION_TOKEN, stage::DUMMY]);
        let first_admin = self.first_admin_token().await?.is_some();
        match self.config.registration.mode {
            RegistrationMode::Open if first_admin => Ok(vec![UiaFlow(vec![stage::DUMMY]), with_token]),
            RegistrationMode::Open => Ok(vec![UiaFlow(vec![stage::DUMMY])]),
            RegistrationMode::Token => Ok(vec![with_token]),
            RegistrationMode::Closed if first_admin => Ok(vec![with_token]),
            RegistrationMode::Closed => Err(AccountError::RegistrationClosed),
        }
    }

    /// What a registration token permits; `None` for an unknown one.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn permit(&self, registration_token: &str) -> Result<Option<Permit>> {
        if registration_token.len() > MAX_REGISTRATION_TOKEN {
            return Ok(None);
        }
        let first = self.first_admin_token().await?;
        if first.is_some_and(|first| token::same(&first, registration_token)) {
            return Ok(Some(Permit::FirstAdmin(registration_token.to_owned())));
        }
        let config = &self.config.registration;
        let known = config.token.as_deref().is_some_and(|known| token::same(known, registration_token));
        Ok((known && config.mode == RegistrationMode::Token).then_some(Permit::Mode))
    }

    /// Whether `registration_token` would be accepted.
    ///
    /// # Errors
    /// [`AccountError::RegistrationClosed`] when no token is accepted at all.
    pub async fn is_valid_token(&self, registration_token: &str) -> Result<bool> {
        if self.config.registration.mode != RegistrationMode::Token && self.first_admin_token().await?.is_none() {
            return Err(AccountError::RegistrationClosed);
        }
        Ok(self.permit(registration_token).await?.is_some())
    }

    /// Hashes a password for [`NewAccount`].
    ///
    /// # Errors
    /// [`AccountError::WeakPassword`]
    pub async fn hash_password(&self, password: &str) -> Result<String> {
        self.passwords.hash(password).await
    }

    /// Creates an account, and begins its first session if that is wanted, in one transaction.
    ///
    /// # Errors
    /// [`AccountError::InvalidName`], [`AccountError::NameReserved`], [`AccountError::NameTaken`],
    /// [`AccountError::BadDeviceId`], [`AccountError::DeviceIdTaken`]; [`AccountError::RegistrationClosed`] when the permit is void meanwhile.
    pub async fn register(&self, new: &NewAccount) -> Result<(OwnedUserId, Option<Issued>)> {
        let made_up;
        let name = match &new.name {
            Some(name) => name,
            None => {
                made_up = base::random::alphanumeric(NAME_LEN).to_ascii_lowercase();
                &made_up
            }
        };
        let user = match new.permit {
            Permit::Appservice => self.free_name(name).await?,
            _ => self.check_name(name).await?,
        };
        let prepared = new.device.as_ref().map(|device| self.prepare(device).map(|made| (device, made))).transpose()?;
        let admin = matches!(new.permit, Permit::FirstAdmin(_) | Permit::Operator { admin: true });
        let row = UserRow { created: self.clock.now(), admin, ..UserRow::default() };
        kv::retry(|| async {
            let mut tx = self.db.begin();
            if let Permit::FirstAdmin(given) = &new.permit {
                let stored = tx.get(&FIRST_ADMIN, ()).await?;
                if !stored.is_some_and(|stored| token::same(&stored, given)) {
                    return Err(AccountError::RegistrationClosed);
                }
            }
            self.insert(&mut tx, &user, &row, new.phc.as_ref()).await?;
            if let Some((device, (id, tokens))) = &prepared {
                self.put_session(&mut tx, &user, id, device, tokens, row.created).await?;
            }
            tx.commit().await?;
            Ok(())
        })
        .await?;
        tracing::info!(%user, admin, "account created");
        let issued = prepared.map(|(_, (id, tokens))| tokens.issue(user.clone(), id));
        Ok((user, issued))
    }
}
