use std::{collections::HashMap, ops::Deref, sync::Arc};

use account::{Accounts, NewAccount, Permit};
use base::Clock;
use kv::Db;
use ruma::{RoomAliasId, UserId};

use crate::{
    Appservice, AppserviceError, Post, RegistrationError,
    registration::{TokenHash, hash},
    service::Service,
};

/// The application services of this server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Appservices(Arc<Inner>);

/// What all clones share.
#[derive(Debug)]
pub struct Inner {
    pub(crate) db: Db,
    pub(crate) accounts: Accounts,
    pub(crate) post: Post,
    clock: Clock,
    services: Vec<Arc<Service>>,
    by_token: HashMap<TokenHash, Arc<Service>>,
}

impl Deref for Appservices {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Appservices {
    /// The application services `all`, which [`crate::load`] has read.
    pub fn new(db: Db, clock: Clock, accounts: Accounts, post: Post, all: Vec<Appservice>) -> Self {
        let services: Vec<_> = all.into_iter().map(|service| Arc::new(Service::new(service))).collect();
        let by_token = services.iter().map(|service| (service.registration.as_token, service.clone())).collect();
        Self(Arc::new(Inner { db, accounts, post, clock, services, by_token }))
    }

    /// Registers the application services' own users where they are missing. Run it at each start.
    ///
    /// # Errors
    /// [`RegistrationError::Sender`].
    pub async fn add_senders(&self) -> Result<(), RegistrationError> {
        for service in self.all() {
            let failed =
                |cause| RegistrationError::Sender { id: service.id.clone(), user: service.sender.clone(), cause };
            if self.accounts.user(&service.sender).await.map_err(failed)?.is_none() {
                let name = Some(service.sender.localpart().to_owned());
                let new = NewAccount { name, phc: None, permit: Permit::Appservice, device: None };
                self.accounts.register(&new).await.map_err(failed)?;
            }
        }
        Ok(())
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Appservice> {
        self.services.iter().map(|service| &service.registration)
    }

    /// The one that has this `as_token`. It asks something, so it is there, and is tried again if it failed.
    #[must_use]
    pub fn by_token(&self, token: &str) -> Option<Appservice> {
        if self.services.is_empty() {
            return None;
        }
        let service = self.by_token.get(&hash(token))?;
        service.heard(self.clock.now());
        Some(service.registration.clone())
    }

    /// Those that have an address and took the last transaction.
    pub(crate) fn answering(&self) -> impl Iterator<Item = &Appservice> {
        let answers = |service: &&Arc<Service>| service.registration.url.is_some() && !service.fails();
        self.services.iter().filter(answers).map(|service| &service.registration)
    }

    /// Has `service` tried again at once if it failed.
    pub(crate) fn retry(&self, service: &Appservice) {
        if let Some(known) = self.services.iter().find(|known| known.registration.id == service.id)
            && known.fails()
        {
            known.retry.notify_one();
        }
    }

    pub(crate) fn services(&self) -> Vec<Arc<Service>> {
        self.services.clone()
    }

    /// Refuses to create `user` for `caller`, or for who is no application service: an application service keeps to
    /// its namespaces, and everybody out of those that are another's alone.
    ///
    /// # Errors
    /// [`AppserviceError::Exclusive`]
    pub fn check_new_user(&self, caller: Option<&Appservice>, user: &UserId) -> Result<(), AppserviceError> {
        self.check(caller, |service| service.has_user(user), |service| service.owns_user(user))
    }

    /// The same for an alias.
    ///
    /// # Errors
    /// [`AppserviceError::Exclusive`]
    pub fn check_alias(&self, caller: Option<&Appservice>, alias: &RoomAliasId) -> Result<(), AppserviceError> {
        self.check(caller, |service| service.has_alias(alias), |service| service.owns_alias(alias))
    }

    fn check(
        &self,
        caller: Option<&Appservice>,
        has: impl Fn(&Appservice) -> bool,
        owns: impl Fn(&Appservice) -> bool,
    ) -> Result<(), AppserviceError> {
        let is_caller = |service: &Appservice| caller.is_some_and(|caller| caller.id == service.id);
        let outside = caller.is_some_and(|caller| !has(caller));
        if outside || self.all().any(|service| !is_caller(service) && owns(service)) {
            return Err(AppserviceError::Exclusive);
        }
        Ok(())
    }
}
