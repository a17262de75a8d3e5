//! Reading registration files.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use ruma::ServerName;

use crate::{Appservice, Config, RegistrationError};

/// Largest registration file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// All registrations of `config` for `server`.
///
/// # Errors
/// [`RegistrationError`] with the file, and the key if it is about one.
pub fn load(config: &Config, server: &ServerName) -> Result<Vec<Appservice>, RegistrationError> {
    let mut all = Vec::new();
    let mut ids: HashMap<String, PathBuf> = HashMap::new();
    let mut tokens: HashMap<_, PathBuf> = HashMap::new();
    for path in files(&config.registrations)? {
        let service = Appservice::parse(&path, &read(&path)?, server)?;
        if let Some(other) = ids.insert(service.id.clone(), path.clone()) {
            return Err(RegistrationError::Twice { path, other, key: "id" });
        }
        if let Some(other) = tokens.insert(service.as_token, path.clone()) {
            return Err(RegistrationError::Twice { path, other, key: "as_token" });
        }
        all.push(service);
    }
    Ok(all)
}

/// The files that the configuration means, those of a directory in order of their names.
fn files(registrations: &[PathBuf]) -> Result<Vec<PathBuf>, RegistrationError> {
    let mut files = Vec::new();
    for path in registrations {
        let unreadable = |cause| RegistrationError::Unreadable { path: path.clone(), cause };
        if !fs::metadata(path).map_err(unreadable)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                found.push(file);
            }
        }
        found.sort();
        files.append(&mut found);
    }
    Ok(files)
}

fn read(path: &Path) -> Result<String, RegistrationError> {
    let unreadable = |cause| RegistrationError::Unreadable { path: path.to_owned(), cause };
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE {
        return Err(RegistrationError::TooLarge { path: path.to_owned(), limit: MAX_FILE });
    }
    fs::read_to_string(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use ruma::{server_name, user_id};

    use super::*;

    const GOOD: &str = "id: irc\nurl: http://localhost:9000\nas_token: as-secret\nhs_token: hs-secret\n\
        sender_localpart: ircbot\nrate_limited: false\nde.sorunome.msc2409.push_ephemeral: true\nnamespaces:\n  users:\n    \
        - regex: '@_irc_.*'\n      exclusive: true\n  aliases: []\n  rooms: null\nunknown.key: 1\n";

    fn parse(text: &str) -> Result<Appservice, RegistrationError> {
        Appservice::parse(Path::new("irc.yaml"), text, server_name!("test.example"))
    }

    fn refused(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_registration_is_read_as_bridges_write_it() {
        let service = parse(GOOD).unwrap();
        assert_eq!(service.sender, "@ircbot:test.example");
        assert!(service.ephemeral && !service.rate_limited && !service.encrypts);
        assert!(service.owns_user(user_id!("@_irc_bob:test.example")));
        assert!(!service.has_user(user_id!("@bob:test.example")));
        assert!(!format!("{service:?}").contains("secret"));
    }

    #[test]
    fn what_is_wrong_is_told_by_file_and_key_and_without_secrets() {
        let cases = [
            (GOOD.replace("hs_token: hs-secret\n", ""), "the registration irc.yaml: hs_token is missing"),
            (GOOD.replace("as-secret", "77123"), "the registration irc.yaml: as_token must be a string"),
            (GOOD.replace("as-secret", "'two words'"), "the registration irc.yaml: as_token needs printable"),
            (GOOD.replace("http://localhost:9000", "localhost"), "the registration irc.yaml: url "),
            (GOOD.replace("@_irc_.*", "@(?!x)"), "the registration irc.yaml: namespaces.users[0].regex "),
            (
                GOOD.replace("exclusive: true", "exclusive: hs-secret"),
                "namespaces.users[0].exclusive must be a boolean",
            ),
            (GOOD.replace("as_token: as-secret", "as_token: 'as-secret"), "the registration irc.yaml is not YAML: "),
            (String::new(), "the registration irc.yaml: the file must be"),
        ];
        for (text, start) in cases {
            let message = refused(&text);
            assert!(message.contains(start), "{message}");
            assert!(!message.contains("secret") && !message.contains("77123"), "{message}");
        }
    }

    #[test]
    fn a_directory_stands_for_its_yaml_files_and_nothing_may_be_registered_twice() {
        let dir = tempfile::tempdir().unwrap();
        let server = server_name!("test.example");
        fs::write(dir.path().join("irc.yaml"), GOOD).unwrap();
        fs::write(dir.path().join("notes.txt"), "no registration").unwrap();
        let config = Config { registrations: vec![dir.path().to_owned()] };
        assert_eq!(load(&config, server).unwrap().len(), 1);

        let other = GOOD.replace("id: irc", "id: xmpp");
        fs::write(dir.path().join("xmpp.yml"), other).unwrap();
        let error = load(&config, server).unwrap_err().to_string();
        assert!(error.contains("same as_token") && error.contains("xmpp.yml"), "{error}");

        let missing = Config { registrations: vec![dir.path().join("gone.yaml")] };
        assert!(load(&missing, server).unwrap_err().to_string().contains("gone.yaml"));
    }
}
