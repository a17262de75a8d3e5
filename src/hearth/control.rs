//! The socket for commands to a running server: `hearth.sock` in the data directory, for its owner only.
//!
//! One JSON line asks, one JSON line answers.

use std::{
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};

use crate::{Answer, Command, Error, commands, wire::Wired};

/// Longest command in bytes.
const MAX_COMMAND: u64 = 64 * 1024;

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("hearth.sock")
}

/// Makes the socket of the server that holds the lock of `data_dir`.
pub(crate) fn bind(data_dir: &Path) -> Result<UnixListener, Error> {
    let path = path(data_dir);
    match std::fs::remove_file(&path) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(Error::file(&path, cause)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(|cause| Error::file(&path, cause))?;
    // The directory is for the owner only, so nobody comes in between.
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, private).map_err(|cause| Error::file(&path, cause))?;
    Ok(listener)
}

/// Answers commands until it is dropped.
pub(crate) async fn serve(listener: UnixListener, wired: Wired) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let wired = wired.clone();
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, &wired).await {
                        tracing::warn!(%error, "a command was not answered");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept commands");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    }
}

async fn answer(stream: UnixStream, wired: &Wired) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(MAX_COMMAND)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(command) => commands::run(wired, command).await,
        Err(error) => Answer::Refused(format!("the server does not know this command: {error}")),
    };
    write.write_all(&serde_json::to_vec(&answer)?).await?;
    write.write_all(b"\n").await
}

/// Asks the server that runs on `data_dir`, if one does.
///
/// # Errors
/// When a server is there but cannot be talked to.
pub async fn ask(data_dir: &Path, command: &Command) -> Result<Option<Answer>, Error> {
    let path = path(data_dir);
    let mut stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => return Ok(None),
        Err(cause) => return Err(Error::file(&path, cause)),
    };
    let answer = converse(&mut stream, command).await.map_err(|cause| Error::file(&path, cause))?;
    Ok(Some(answer))
}

async fn converse(stream: &mut UnixStream, command: &Command) -> std::io::Result<Answer> {
    stream.write_all(&serde_json::to_vec(command)?).await?;
    stream.write_all(b"\n").await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}
