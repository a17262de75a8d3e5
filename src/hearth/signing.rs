//! The server's signing keys: `signing.key` in the data directory, in the form that other homeservers use too.
//!
//! The first line is the key in use: algorithm, version, the seed in base64 without padding. Each key that was used
//! before has a line of its own: `old`, algorithm, version, the public key in base64, the time of its end in
//! milliseconds since the epoch. Other lines are left alone.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use base::{Clock, Millis};
use event::Signer;
use federation::{OldKey, OwnKeys};
use ruma::{OwnedServerName, OwnedServerSigningKeyId, serde::Base64};

use crate::{Config, Error, lock::Lock};

const FILE: &str = "signing.key";

/// Reads the keys, or makes one at the first start.
pub(crate) fn keys(data_dir: &Path, server: OwnedServerName) -> Result<OwnKeys, Error> {
    let path = data_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text, server).map_err(|reason| refused(&path, &reason)),
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            let text = made();
            write(data_dir, FILE, &text).map_err(|cause| Error::file(&path, cause))?;
            parse(&text, server).map_err(|reason| refused(&path, &reason))
        }
        Err(cause) => Err(Error::file(&path, cause)),
    }
}

/// Gives the stopped server of `config` a new key and says so; the one before stays published as an old one.
///
/// # Errors
/// When the server runs, or its key file cannot be read or written.
pub fn rotate_signing_key(config: &Config) -> Result<String, Error> {
    let _lock = Lock::claim(&config.data_dir)?;
    let [was, is] = rotate(&config.data_dir, config.server_name.clone(), Clock::system().now())?;
    Ok(format!("{was} was replaced by {is}: keep a copy of {}", config.data_dir.join(FILE).display()))
}

/// Puts a new key in the place of the one in use, which others keep believing for what was signed until `now`. The
/// caller holds the lock of the data directory. Returns the names of the old and the new one.
///
/// # Errors
/// When there is no key yet, or the file cannot be read or written.
fn rotate(data_dir: &Path, server: OwnedServerName, now: Millis) -> Result<[OwnedServerSigningKeyId; 2], Error> {
    let path = data_dir.join(FILE);
    let text = std::fs::read_to_string(&path).map_err(|cause| Error::file(&path, cause))?;
    let before = parse(&text, server.clone()).map_err(|reason| refused(&path, &reason))?;
    let (_, rest) = text.trim_start().split_once('\n').unwrap_or_default();
    let old = before.signer();
    let (algorithm, version) = old.key_id().as_str().split_once(':').unwrap_or_default();
    let new = format!("{}old {algorithm} {version} {} {now}\n{rest}", made(), old.public_key_base64());
    let after = parse(&new, server).map_err(|reason| refused(&path, &reason))?;
    // The new file is complete before it takes the place of the old one.
    let half = format!("{FILE}.new");
    match std::fs::remove_file(data_dir.join(&half)) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(Error::file(&data_dir.join(&half), cause)),
        _ => write(data_dir, &half, &new).map_err(|cause| Error::file(&data_dir.join(&half), cause))?,
    }
    let replaced = std::fs::rename(data_dir.join(&half), &path).and_then(|()| File::open(data_dir)?.sync_all());
    replaced.map_err(|cause| Error::file(&path, cause))?;
    Ok([old.key_id().clone(), after.signer().key_id().clone()])
}

fn refused(path: &Path, reason: &str) -> Error {
    Error::Refused(format!("{}: {reason}", path.display()))
}

fn parse(text: &str, server: OwnedServerName) -> Result<OwnKeys, String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let current = lines.next().and_then(|line| current(line, server));
    let current = current.ok_or("this is no signing key, as \"ed25519 a1 <43 characters>\"")?;
    let mut all = Vec::new();
    for line in lines.filter(|line| line.starts_with("old ")) {
        let key = old(line).ok_or("the line of an old key is not as \"old ed25519 a1 <43 characters> <time>\"")?;
        all.push(key);
    }
    Ok(OwnKeys::new(Arc::new(current), all))
}

fn current(line: &str, server: OwnedServerName) -> Option<Signer> {
    let mut words = line.split_whitespace();
    let id = OwnedServerSigningKeyId::try_from(format!("{}:{}", words.next()?, words.next()?)).ok()?;
    Signer::from_base64(server, id, words.next()?)
}

fn old(line: &str) -> Option<OldKey> {
    let mut words = line.split_whitespace().skip(1);
    let key_id = OwnedServerSigningKeyId::try_from(format!("{}:{}", words.next()?, words.next()?)).ok()?;
    let public: Base64 = Base64::parse(words.next()?).ok()?;
    let public = public.as_bytes().try_into().ok()?;
    Some(OldKey { key_id, public, expired_ts: words.next()?.parse().ok()? })
}

/// The line of a new key.
fn made() -> String {
    let seed: Base64 = Base64::new(base::random::bytes::<32>().to_vec());
    format!("ed25519 h_{} {seed}\n", base::random::alphanumeric(6))
}

fn write(data_dir: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(data_dir.join(name))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use ruma::owned_server_name;

    use super::*;

    fn server() -> OwnedServerName {
        owned_server_name!("example.org")
    }

    #[test]
    fn a_key_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = keys(dir.path(), server()).unwrap();
        let second = keys(dir.path(), server()).unwrap();
        assert_eq!(first.signer().public_key(), second.signer().public_key());
        assert_eq!(first.signer().key_id(), second.signer().key_id());
    }

    #[test]
    fn a_file_with_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "hello").unwrap();
        let error = keys(dir.path(), server()).unwrap_err();
        assert!(error.to_string().contains("no signing key"));
    }

    #[test]
    fn a_broken_line_of_an_old_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), format!("{}old ed25519 a1 AAAA 5\n", made())).unwrap();
        assert!(keys(dir.path(), server()).unwrap_err().to_string().contains("old key"));
    }

    #[test]
    fn keys_that_were_used_before_are_published_with_their_end() {
        let dir = tempfile::tempdir().unwrap();
        let first = keys(dir.path(), server()).unwrap();
        let [was, is] = rotate(dir.path(), server(), 1000).unwrap();
        assert_eq!((&was, true), (first.signer().key_id(), was != is));
        let [second, third] = rotate(dir.path(), server(), 2000).unwrap();
        let keys = keys(dir.path(), server()).unwrap();
        assert_eq!((keys.signer().key_id(), &is), (&third, &second));
        let document = serde_json::to_value(keys.document(5000)).unwrap();
        let old = &document["old_verify_keys"];
        assert_eq!(old[was.as_str()]["key"], first.signer().public_key_base64());
        assert_eq!(
            (&old[was.as_str()]["expired_ts"], &old[second.as_str()]["expired_ts"]),
            (&1000.into(), &2000.into())
        );
        assert_eq!(document["verify_keys"].as_object().unwrap().keys().collect::<Vec<_>>(), [third.as_str()]);
    }

    #[test]
    fn other_lines_stay_in_the_file_of_the_keys() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), format!("{}# a note\n", made())).unwrap();
        rotate(dir.path(), server(), 1000).unwrap();
        assert!(std::fs::read_to_string(dir.path().join(FILE)).unwrap().ends_with("# a note\n"));
    }
}
