//! Where log lines go.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

use crate::{
    Error,
    config::{ConfigError, Log, LogFormat},
};

/// Sends log lines of this process to standard error.
///
/// # Errors
/// When the filter is not understood.
pub fn start(config: &Log) -> Result<(), Error> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|error| ConfigError::Contradiction(format!("log.filter: {error}")))?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    // A second start in one process keeps the first log.
    let _ = match config.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}
