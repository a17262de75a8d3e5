//! The server's signing key: `signing.key` in the data directory, in the form that other homeservers use too.
//!
//! One line: algorithm, version, the seed in base64 without padding.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use event::Signer;
use ruma::{OwnedServerName, OwnedServerSigningKeyId, serde::Base64};

use crate::Error;

/// Reads the key, or makes one at the first start.
pub(crate) fn signer(data_dir: &Path, server: OwnedServerName) -> Result<Signer, Error> {
    let path = data_dir.join("signing.key");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == ErrorKind::NotFound => make(&path).map_err(|cause| Error::file(&path, cause))?,
        Err(cause) => return Err(Error::file(&path, cause)),
    };
    parse(&text, server).ok_or_else(|| {
        Error::Refused(format!("{}: this is no signing key, as \"ed25519 a1 <43 characters>\"", path.display()))
    })
}

fn parse(text: &str, server: OwnedServerName) -> Option<Signer> {
    let mut words = text.split_whitespace();
    let id = OwnedServerSigningKeyId::try_from(format!("{}:{}", words.next()?, words.next()?)).ok()?;
    Signer::from_base64(server, id, words.next()?)
}

fn make(path: &Path) -> std::io::Result<String> {
    let seed: Base64 = Base64::new(base::random::bytes::<32>().to_vec());
    let text = format!("ed25519 h_{} {seed}\n", base::random::alphanumeric(6));
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let server = ruma::owned_server_name!("example.org");
        let first = signer(dir.path(), server.clone()).unwrap();
        let second = signer(dir.path(), server).unwrap();
        assert_eq!(first.public_key(), second.public_key());
        assert_eq!(first.key_id(), second.key_id());
    }

    #[test]
    fn a_file_with_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("signing.key"), "hello").unwrap();
        let error = signer(dir.path(), ruma::owned_server_name!("example.org")).unwrap_err();
        assert!(error.to_string().contains("no signing key"));
    }
}
