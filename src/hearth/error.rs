use std::path::{Path, PathBuf};

/// Why the program cannot go on; printed as it is, so each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] crate::config::ConfigError),
    /// The account for server notices cannot be had.
    #[error("server_notices: {0}")]
    Notices(#[from] flows::FlowError),
    /// A file or socket cannot be used.
    #[error("{path}: {cause}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {bind}: {cause}")]
    Bind {
        /// Which.
        bind: std::net::SocketAddr,
        /// Why.
        cause: std::io::Error,
    },
    /// Certificates or keys of a listener are wrong.
    #[error("TLS of listener {bind}: {cause}")]
    Tls {
        /// Which.
        bind: std::net::SocketAddr,
        /// Why.
        cause: String,
    },
    /// Another process has the data directory.
    #[error("another Hearth runs on {path}: stop it or set another data_dir", path = .0.display())]
    Running(PathBuf),
    /// The database cannot be opened.
    #[error("cannot open the database: {0}")]
    Store(#[from] kv::Error),
    /// Accounts cannot be opened.
    #[error("cannot open the accounts: {0}")]
    Accounts(#[from] account::AccountError),
    /// Other servers cannot be talked to.
    #[error("federation: {0}")]
    Outbound(#[from] outbound::Error),
    /// An application service's registration is wrong.
    #[error("{0}")]
    Appservice(#[from] appservice::RegistrationError),
    /// A command was refused.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// An error about `path`.
    pub fn file(path: &Path, cause: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), cause }
    }
}
