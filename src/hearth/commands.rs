//! What the command line asks of a server, running or not.

use std::io::BufRead;

use account::{NewAccount, Permit};
use base::Clock;
use serde::{Deserialize, Serialize};

use crate::{Config, Error, lock::Lock, wire::Wired};

/// A request through the control socket.
#[derive(Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// Create an account.
    CreateUser {
        /// Localpart.
        name: String,
        /// In clear: the socket is only for the owner of the data directory.
        password: String,
        /// Whether it may administer the server.
        admin: bool,
    },
}

/// What became of a [`Command`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It was done; the text is for the person who asked.
    Done(String),
    /// It was not; the text says why.
    Refused(String),
}

impl Answer {
    /// The text of a command that was done.
    ///
    /// # Errors
    /// The reason when it was refused.
    pub fn into_result(self) -> Result<String, Error> {
        match self {
            Self::Done(text) => Ok(text),
            Self::Refused(reason) => Err(Error::Refused(reason)),
        }
    }
}

/// Does `command` on this server.
pub(crate) async fn run(wired: &Wired, command: Command) -> Answer {
    match command {
        Command::CreateUser { name, password, admin } => create_user(wired, &name, &password, admin).await,
    }
}

async fn create_user(wired: &Wired, name: &str, password: &str, admin: bool) -> Answer {
    let accounts = &wired.state.accounts;
    let created = async {
        let phc = Some(accounts.hash_password(password).await?);
        let permit = Permit::Operator { admin };
        accounts.register(&NewAccount { name: Some(name.to_owned()), phc, permit, device: None }).await
    };
    match created.await {
        Ok((user, _)) => Answer::Done(format!("created {user}")),
        Err(error) => Answer::Refused(error.to_string()),
    }
}

/// Does `command` on the stopped server of `config`.
///
/// # Errors
/// When the server runs or its database cannot be opened.
pub(crate) async fn offline(config: Config, command: Command) -> Result<Answer, Error> {
    let _lock = Lock::claim(&config.data_dir)?;
    let wired = Wired::open(&config, Clock::system()).await?;
    let answer = run(&wired, command).await;
    wired.close().await;
    Ok(answer)
}

/// Treats the database of the stopped server of `config` as restored from a backup.
///
/// # Errors
/// When the server runs or its database cannot be opened.
pub(crate) async fn restored(config: Config) -> Result<String, Error> {
    let _lock = Lock::claim(&config.data_dir)?;
    let wired = Wired::open(&config, Clock::system()).await?;
    let forgotten = wired.guard.restored(&wired.state.keys).await;
    wired.close().await;
    Ok(format!("{} one-time keys were forgotten; clients upload new ones and sync anew", forgotten?))
}

/// The first line of `input`.
///
/// # Errors
/// When there is none.
pub(crate) fn password_from(mut input: impl BufRead) -> Result<String, Error> {
    let mut line = String::new();
    input.read_line(&mut line).map_err(|cause| Error::Refused(format!("cannot read the password: {cause}")))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Error::Refused("no password came from standard input".to_owned()));
    }
    Ok(password.to_owned())
}
