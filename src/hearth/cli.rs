//! `hearth serve`, `create-user`, `restored`, `repair`, `check-config`, `compact`, `rotate-signing-key`.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::{Command, Config, Error, Server, commands, control, descriptors, logs, server, signing};

/// A Matrix homeserver.
#[derive(Debug, Parser)]
#[command(name = "hearth", version, about, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run the server until it is told to stop by SIGTERM or SIGINT.
    Serve(FromFile),
    /// Create an account, on a running server or on a stopped one.
    CreateUser(CreateUser),
    /// Say that the database of the stopped server was restored from a backup, before it is started: needed when the
    /// whole data directory was put back, while a restored database alone is noticed.
    Restored(FromFile),
    /// Keep what is left of a database that is too damaged to start: what is lost stays lost, so restore a backup
    /// instead if there is one.
    Repair(FromFile),
    /// Read the configuration and say what is wrong with it.
    CheckConfig(FromFile),
    /// Give a stopped server a new signing key; the one before stays published as an old one.
    RotateSigningKey(FromFile),
    /// Rewrite the database of a stopped server to its smallest size.
    Compact(FromFile),
}

#[derive(Debug, Args)]
struct FromFile {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct CreateUser {
    #[command(flatten)]
    from: FromFile,
    /// The part of the user name between "@" and ":".
    name: String,
    /// Let the account administer the server.
    #[arg(long)]
    admin: bool,
    /// Read the password from standard input, up to the first line break; without this one is made and printed.
    #[arg(long)]
    password_stdin: bool,
}

impl Cli {
    /// Does what was asked; what it returns is to be printed.
    ///
    /// # Errors
    /// With a sentence for the person at the terminal.
    pub async fn run(self, metrics: impl FnOnce() -> Option<server::Metrics>) -> Result<Option<String>, Error> {
        match self.what {
            What::Serve(from) => serve(&from.config, metrics()).await.map(|()| None),
            What::CheckConfig(from) => {
                load(&from.config)?;
                Ok(Some(format!("{} is fine", from.config.display())))
            }
            What::Compact(from) => crate::compact(&load(&from.config)?).await.map(Some),
            What::Repair(from) => Box::pin(crate::repair(&load(&from.config)?)).await.map(Some),
            What::RotateSigningKey(from) => signing::rotate_signing_key(&load(&from.config)?).map(Some),
            What::Restored(from) => commands::restored(load(&from.config)?).await.map(Some),
            What::CreateUser(create) => create_user(create).await.map(Some),
        }
    }
}

fn load(path: &Path) -> Result<Config, Error> {
    Ok(Config::load(
        path,
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    )?)
}

async fn serve(path: &Path, metrics: Option<server::Metrics>) -> Result<(), Error> {
    let config = load(path)?;
    logs::start(&config.log)?;
    descriptors::raise();
    let stop = server::stop_signal();
    let server = Server::start(config, server::Options { metrics, ..Default::default() }).await?;
    server.welcome().await?;
    server.ready();
    stop.await;
    server.stop().await;
    Ok(())
}

async fn create_user(create: CreateUser) -> Result<String, Error> {
    let config = load(&create.from.config)?;
    let (password, shown) = if create.password_stdin {
        (commands::password_from(std::io::stdin().lock())?, None)
    } else {
        let made = base::random::alphanumeric(20);
        (made.clone(), Some(made))
    };
    let command = Command::CreateUser { name: create.name, password, admin: create.admin };
    let answer = match control::ask(&config.data_dir, &command).await? {
        Some(answer) => answer,
        None => commands::offline(config, command).await?,
    };
    let said = answer.into_result()?;
    Ok(shown.map_or(said.clone(), |password| format!("{said}\npassword: {password}")))
}
