//! The program.

use std::{io::Write, process::ExitCode};

use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match hearth::cli::Cli::parse().run(hearth::server::Metrics::install).await {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(text)) => {
            let printed = writeln!(std::io::stdout(), "{text}");
            if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            // Nothing can be done when standard error is gone as well.
            let _ = writeln!(std::io::stderr(), "hearth: {error}");
            ExitCode::FAILURE
        }
    }
}
