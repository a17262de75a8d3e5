//! Password hashes: argon2id as PHC strings, on a bounded number of threads. Those of bcrypt, which imported accounts
//! bring, verify too, and are replaced when their users next prove to know them.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::{OnceCell, Semaphore};

use crate::{AccountError, PasswordsConfig, Result};

/// Hashes and verifies passwords. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Passwords {
    threads: Arc<Semaphore>,
    params: Params,
    minimum_length: usize,
    /// The hash of nobody's password, checked for unknown users so that they take as long as known ones.
    dummy: Arc<OnceCell<String>>,
}

impl Passwords {
    /// Hashes at the cost that `config` asks for, on as many threads as there are cores.
    ///
    /// # Errors
    /// [`AccountError::Hashing`] when argon2 does not allow that cost.
    pub fn new(config: &PasswordsConfig) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let params = Params::new(config.memory_kib, config.iterations, 1, None).map_err(hashing)?;
        let threads = Arc::new(Semaphore::new(cores));
        Ok(Self { threads, params, minimum_length: config.minimum_length, dummy: Arc::default() })
    }

    /// The PHC string for a new password.
    ///
    /// # Errors
    /// [`AccountError::WeakPassword`] when it is too short.
    pub async fn hash(&self, password: &str) -> Result<String> {
        if password.chars().count() < self.minimum_length {
            return Err(AccountError::WeakPassword(self.minimum_length));
        }
        self.hash_any(password.to_owned()).await
    }

    /// Whether `password` is the one of `phc`. Without a `phc` the answer is no and takes as long.
    ///
    /// # Errors
    /// [`AccountError::Hashing`] when the string is not of argon2 or bcrypt.
    pub async fn verify(&self, password: &str, phc: Option<String>) -> Result<bool> {
        let known = phc.is_some();
        let phc = match phc {
            Some(phc) => phc,
            None => self.dummy.get_or_try_init(|| self.hash_any(base::random::alphanumeric(32))).await?.clone(),
        };
        let password = password.to_owned();
        let right = self
            .run(move |argon2| {
                if is_bcrypt(&phc) {
                    return bcrypt::verify(password.as_bytes(), &phc).map_err(hashing);
                }
                let phc = PasswordHash::new(&phc).map_err(hashing)?;
                // Cost comes from the string; the comparison takes constant time.
                Ok(argon2.verify_password(password.as_bytes(), &phc).is_ok())
            })
            .await?;
        Ok(right && known)
    }

    /// The string to keep for `password` in place of `phc`, which it fits: ours if that is of another algorithm. A
    /// password that is in use may be shorter than new ones have to be.
    ///
    /// # Errors
    /// [`AccountError::Hashing`]
    pub(crate) async fn renewed(&self, password: &str, phc: &str) -> Result<Option<String>> {
        if !is_bcrypt(phc) {
            return Ok(None);
        }
        self.hash_any(password.to_owned()).await.map(Some)
    }

    async fn hash_any(&self, password: String) -> Result<String> {
        self.run(move |argon2| Ok(argon2.hash_password(password.as_bytes()).map_err(hashing)?.to_string())).await
    }

    async fn run<T: Send + 'static>(&self, job: impl FnOnce(Argon2<'_>) -> Result<T> + Send + 'static) -> Result<T> {
        let permit = self.threads.clone().acquire_owned().await.map_err(hashing)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        tokio::task::spawn_blocking(move || {
            // Held by the thread, not by the request: one that gives up does not free a core.
            let _permit = permit;
            job(argon2)
        })
        .await
        .map_err(hashing)?
    }
}

fn is_bcrypt(phc: &str) -> bool {
    ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|prefix| phc.starts_with(prefix))
}

#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn hashing(error: impl std::fmt::Display) -> AccountError {
    AccountError::Hashing(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap() -> Passwords {
        Passwords::new(&PasswordsConfig { minimum_length: 3, memory_kib: 8, iterations: 1 }).unwrap()
    }

    #[tokio::test]
    async fn only_the_right_password_verifies() {
        let passwords = cheap();
        let phc = passwords.hash("corréct").await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
        assert!(passwords.verify("corréct", Some(phc.clone())).await.unwrap());
        assert!(!passwords.verify("wrong", Some(phc)).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        assert!(!cheap().verify("anything", None).await.unwrap());
    }

    #[tokio::test]
    async fn short_passwords_are_refused() {
        assert!(matches!(cheap().hash("ab").await, Err(AccountError::WeakPassword(3))));
    }

    #[tokio::test]
    async fn passwords_of_imported_accounts_verify_and_are_renewed() {
        let passwords = cheap();
        let imported = bcrypt::hash("corréct", 4).unwrap();
        assert!(passwords.verify("corréct", Some(imported.clone())).await.unwrap());
        assert!(!passwords.verify("wrong", Some(imported.clone())).await.unwrap());
        let ours = passwords.renewed("corréct", &imported).await.unwrap().unwrap();
        assert!(ours.starts_with("$argon2id$"));
        assert!(passwords.renewed("corréct", &ours).await.unwrap().is_none());
        assert!(passwords.verify("corréct", Some("$2b$04$broken".to_owned())).await.is_err());
    }

    #[test]
    fn the_default_cost_is_one_that_argon2_takes() {
        assert!(Passwords::new(&PasswordsConfig::default()).is_ok());
    }
}
