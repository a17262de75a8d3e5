//! User-interactive authentication. Client-server API, "User-Interactive Authentication API".
//!
//! A session id is signed, so nothing is stored until the first of several stages is completed; it is good for one
//! operation of one user. From the first completed stage on it is bound to what the request asked for.

use std::sync::Arc;

use base::Millis;
use kv::Read;
use ruma::{
    OwnedUserId,
    api::client::uiaa::{AuthData, UserIdentifier},
};

use crate::{
    AccountError, Accounts, Permit, signed,
    tables::{TokenHash, UIA, UiaRow},
    tries::Tries,
};

/// Types of stages.
pub mod stage {
    /// Nothing to do.
    pub const DUMMY: &str = "m.login.dummy";
    /// The password of the account.
    pub const PASSWORD: &str = "m.login.password";
    /// A token that allows registration.
    pub const REGISTRATION_TOKEN: &str = "m.login.registration_token";
}

/// Stages of which all are to be completed, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UiaFlow(pub Vec<&'static str>);

impl UiaFlow {
    /// The password is enough.
    pub fn password() -> Vec<Self> {
        vec![Self(vec![stage::PASSWORD])]
    }
}

/// What is to be authenticated.
#[derive(Debug, Clone)]
pub struct Operation {
    purpose: String,
    user: Option<OwnedUserId>,
    body: TokenHash,
}

impl Operation {
    /// The operation `name`, asked for by `user` (`None` when it is not known yet), with everything of the request
    /// that matters as `body`.
    pub fn new(name: &str, user: Option<OwnedUserId>, body: &[u8]) -> Self {
        let purpose = format!("uia {name} {}", user.as_ref().map_or("", |user| user.as_str()));
        Self { purpose, user, body: *blake3::hash(body).as_bytes() }
    }
}

/// What a client has to do before its request is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The ways to do it.
    pub flows: Vec<UiaFlow>,
    /// Stages that are done.
    pub completed: Vec<String>,
    /// To be sent with the next stage.
    pub session: String,
    /// Why the stage that was sent is not done.
    pub refusal: Option<Refusal>,
}

/// Why a stage failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The password is wrong.
    #[error("wrong user name or password")]
    BadPassword,
    /// The registration token is unknown.
    #[error("the registration token is not known")]
    BadToken,
    /// The stage is in no flow, or not the next one.
    #[error("this stage is not one of those asked for now")]
    NotAsked,
    /// The session has expired or belongs to another operation: a new one has begun.
    #[error("the session is unknown or has expired: here is a new one")]
    UnknownSession,
}

/// Proofs that were given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passed {
    /// Whose password was given.
    pub user: Option<OwnedUserId>,
    /// What the registration token permits.
    pub permit: Option<Permit>,
}

/// Why a request is not granted.
#[derive(Debug, thiserror::Error)]
pub enum UiaError {
    /// More is to be done.
    #[error("authentication is required")]
    Challenge(Box<Challenge>),
    /// The request asks for something else than when the session began.
    #[error("the request has changed since its authentication began")]
    Changed,
    /// The password of somebody else was given.
    #[error("this is not the account that asks")]
    OtherUser,
    /// Too many wrong passwords were given.
    #[error("too many wrong passwords: try again later")]
    TooManyTries {
        /// When the next one is looked at, in milliseconds.
        wait_ms: Millis,
    },
    /// The password could not be checked.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl From<kv::Error> for UiaError {
    fn from(error: kv::Error) -> Self {
        Self::Account(error.into())
    }
}

/// Checks user-interactive authentication. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Uia {
    accounts: Arc<Accounts>,
    tries: Tries,
}

impl Uia {
    /// Authentication of these accounts' users.
    pub fn new(accounts: Accounts) -> Self {
        Self { accounts: Arc::new(accounts), tries: Tries::default() }
    }

    /// Grants `operation` if `auth` completes one of `flows`.
    ///
    /// # Errors
    /// [`UiaError::Challenge`] with what is still to do, [`UiaError::Changed`], [`UiaError::OtherUser`],
    /// [`UiaError::TooManyTries`].
    pub async fn check(
        &self,
        operation: &Operation,
        flows: &[UiaFlow],
        auth: Option<&AuthData>,
    ) -> Result<Passed, UiaError> {
        let challenge =
            Challenge { flows: flows.to_vec(), completed: Vec::new(), session: String::new(), refusal: None };
        let Some(auth) = auth else { return Err(self.fresh(operation, challenge)) };
        let Some((session, mut row)) = self.session(operation, auth).await? else {
            return Err(self.fresh(operation, Challenge { refusal: Some(Refusal::UnknownSession), ..challenge }));
        };
        if !row.completed.is_empty() && row.bound != operation.body {
            return Err(UiaError::Changed);
        }
        if let Err(refusal) = self.complete(operation, flows, auth, &mut row).await? {
            let refusal = refusal.into();
            return Err(UiaError::Challenge(Box::new(Challenge {
                completed: row.completed,
                session,
                refusal,
                ..challenge
            })));
        }
        row.bound = operation.body;
        let done = |flow: &UiaFlow| flow.0.iter().all(|stage| row.completed.iter().any(|done| done == stage));
        if flows.iter().any(done) {
            return self.passed(&session, row).await;
        }
        let mut tx = self.accounts.db.begin().relaxed();
        tx.put(&UIA, session.as_str(), &row);
        tx.commit().await?;
        Err(UiaError::Challenge(Box::new(Challenge { completed: row.completed, session, ..challenge })))
    }

    fn fresh(&self, operation: &Operation, challenge: Challenge) -> UiaError {
        let session = signed::make(&self.accounts.secret, &operation.purpose, self.accounts.clock.now());
        UiaError::Challenge(Box::new(Challenge { session, ..challenge }))
    }

    /// The session that `auth` names, or a new one if it names none; `None` if the named one is not valid.
    async fn session(&self, operation: &Operation, auth: &AuthData) -> Result<Option<(String, UiaRow)>, UiaError> {
        let Accounts { db, clock, secret, config, .. } = &*self.accounts;
        let (now, lives) = (clock.now(), config.sessions.interactive_auth_seconds.saturating_mul(1000));
        let Some(session) = auth.session() else {
            let row = UiaRow { expires: now.saturating_add(lives), ..UiaRow::default() };
            return Ok(Some((signed::make(secret, &operation.purpose, now), row)));
        };
        let Some(expires) = signed::expires(secret, &operation.purpose, session, now, lives) else { return Ok(None) };
        let stored = db.view().get(&UIA, session).await?;
        let row = stored.unwrap_or(UiaRow { expires, ..UiaRow::default() });
        Ok(Some((session.to_owned(), row)))
    }

    /// Completes the stage that `auth` proves, if it is one that is asked for now.
    async fn complete(
        &self,
        operation: &Operation,
        flows: &[UiaFlow],
        auth: &AuthData,
        row: &mut UiaRow,
    ) -> Result<Result<(), Refusal>, UiaError> {
        let Some(kind) = auth.auth_type() else { return Ok(Ok(())) }; // asks how far it is
        let next =
            |flow: &UiaFlow| flow.0.iter().find(|stage| !row.completed.iter().any(|done| done == *stage)).copied();
        if !flows.iter().any(|flow| next(flow) == Some(kind.as_str())) {
            return Ok(Err(Refusal::NotAsked));
        }
        match auth {
            AuthData::Dummy(_) => {}
            AuthData::Password(auth) => match self.password(operation, &auth.identifier, &auth.password).await? {
                Some(user) => row.user = Some(user),
                None => return Ok(Err(Refusal::BadPassword)),
            },
            AuthData::RegistrationToken(auth) => match self.accounts.permit(&auth.token).await? {
                Some(_) => row.token = Some(auth.token.clone()),
                None => return Ok(Err(Refusal::BadToken)),
            },
            _ => return Ok(Err(Refusal::NotAsked)),
        }
        row.completed.push(kind.as_str().to_owned());
        Ok(Ok(()))
    }

    /// The user whose password it is.
    async fn password(
        &self,
        operation: &Operation,
        identifier: &UserIdentifier,
        password: &str,
    ) -> Result<Option<OwnedUserId>, UiaError> {
        let named = match identifier {
            UserIdentifier::Matrix(matrix) => self.accounts.meant(&matrix.user),
            _ => None,
        };
        if let (Some(named), Some(user)) = (&named, &operation.user)
            && named != user
        {
            return Err(UiaError::OtherUser);
        }
        let Some(user) = named else { return Ok(None) };
        let begun = self.tries.begin(&user, self.accounts.clock.now());
        begun.map_err(|wait_ms| UiaError::TooManyTries { wait_ms })?;
        if !self.accounts.verify_password(&user, password).await? {
            return Ok(None);
        }
        self.tries.succeed(&user);
        Ok(Some(user))
    }

    /// The proofs of a completed session, which ends.
    async fn passed(&self, session: &str, row: UiaRow) -> Result<Passed, UiaError> {
        if row.completed.len() > 1 {
            let mut tx = self.accounts.db.begin().relaxed();
            tx.delete(&UIA, session);
            tx.commit().await?;
        }
        let permit = match &row.token {
            // It may have become void since its stage was completed.
            Some(token) => Some(self.accounts.permit(token).await?.ok_or(AccountError::RegistrationClosed)?),
            None => None,
        };
        Ok(Passed { user: row.user, permit })
    }
}
