//! One registration, as its file says. Application Service API, "Registration".

use std::{fmt, ops::Deref, path::Path, sync::Arc};

use outbound::Url;
use ruma::{OwnedUserId, RoomAliasId, RoomId, ServerName, UserId};
use serde::Deserialize;

use crate::{Namespace, RegistrationError};

/// Longest name of an application service, in bytes: it stands in keys.
const MAX_ID: usize = 255;

/// BLAKE3 of a token. Found by its hash, a token is never compared byte by byte.
pub(crate) type TokenHash = [u8; 32];

pub(crate) fn hash(token: &str) -> TokenHash {
    blake3::hash(token.as_bytes()).into()
}

/// An application service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Appservice(Arc<Registration>);

impl Deref for Appservice {
    type Target = Registration;

    fn deref(&self) -> &Registration {
        &self.0
    }
}

/// What a registration says.
#[derive(Clone)]
pub struct Registration {
    /// Its name.
    pub id: String,
    /// Where it listens; `None` for one that only asks.
    pub url: Option<Url>,
    /// The user that it is when it names no other.
    pub sender: OwnedUserId,
    /// Whether rate limits hold for the users it acts for.
    pub rate_limited: bool,
    /// Third-party networks that it knows.
    pub protocols: Vec<String>,
    /// Whether it hears of typing, receipts and presence, and gets messages to devices.
    pub ephemeral: bool,
    /// Whether it hears of changed devices and of how many one-time keys are left (MSC3202).
    pub encrypts: bool,
    pub(crate) hs_token: String,
    pub(crate) as_token: TokenHash,
    users: Vec<Namespace>,
    aliases: Vec<Namespace>,
    rooms: Vec<Namespace>,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("id", &self.id).field("sender", &self.sender).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct File {
    id: String,
    url: Option<String>,
    as_token: String,
    hs_token: String,
    sender_localpart: String,
    namespaces: Namespaces,
    rate_limited: Option<bool>,
    protocols: Option<Vec<String>>,
    receive_ephemeral: Option<bool>,
    // What bridges wrote before that key was specified.
    push_ephemeral: Option<bool>,
    #[serde(rename = "de.sorunome.msc2409.push_ephemeral")]
    unstable_push_ephemeral: Option<bool>,
    #[serde(rename = "org.matrix.msc3202")]
    encrypts: Option<bool>,
}

#[derive(Deserialize)]
struct Namespaces {
    users: Option<Vec<Line>>,
    aliases: Option<Vec<Line>>,
    rooms: Option<Vec<Line>>,
}

#[derive(Deserialize)]
struct Line {
    regex: String,
    #[serde(default)]
    exclusive: bool,
}

impl Appservice {
    /// Reads the text of the registration file at `path` for `server`.
    ///
    /// # Errors
    /// With file and key; what stands there is not repeated, since it may be a token.
    pub fn parse(path: &Path, text: &str, server: &ServerName) -> Result<Self, RegistrationError> {
        let options = serde_saphyr::options! { with_snippet: false };
        let yaml: serde_json::Value = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| RegistrationError::Syntax { path: path.to_owned(), cause: error.to_string() })?;
        let file: File = serde_path_to_error::deserialize(yaml).map_err(|error| {
            let (key, reason) = explain(&error);
            RegistrationError::Key { path: path.to_owned(), key, reason }
        })?;
        let wrong =
            |key: &str, reason: String| RegistrationError::Key { path: path.to_owned(), key: key.to_owned(), reason };
        if file.id.is_empty() || file.id.len() > MAX_ID {
            return Err(wrong("id", format!("needs 1 to {MAX_ID} bytes")));
        }
        for (key, token) in [("as_token", &file.as_token), ("hs_token", &file.hs_token)] {
            if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(wrong(key, "needs printable ASCII characters without spaces".to_owned()));
            }
        }
        let sender = UserId::parse(format!("@{}:{server}", file.sender_localpart));
        let sender = sender.map_err(|error| wrong("sender_localpart", error.to_string()))?;
        let url = match file.url.as_deref() {
            None | Some("") => None,
            Some(url) => Some(Url::parse(url).map_err(|error| wrong("url", error.to_string()))?),
        };
        let lines = |key: &str, lines: Option<Vec<Line>>| -> Result<Vec<Namespace>, RegistrationError> {
            let compiled = lines.unwrap_or_default().into_iter().enumerate().map(|(n, line)| {
                Namespace::new(&line.regex, line.exclusive)
                    .map_err(|reason| wrong(&format!("namespaces.{key}[{n}].regex"), reason))
            });
            compiled.collect()
        };
        Ok(Self(Arc::new(Registration {
            users: lines("users", file.namespaces.users)?,
            aliases: lines("aliases", file.namespaces.aliases)?,
            rooms: lines("rooms", file.namespaces.rooms)?,
            as_token: hash(&file.as_token),
            hs_token: file.hs_token,
            url,
            sender,
            rate_limited: file.rate_limited.unwrap_or(true),
            protocols: file.protocols.unwrap_or_default(),
            ephemeral: [file.receive_ephemeral, file.push_ephemeral, file.unstable_push_ephemeral]
                .contains(&Some(true)),
            encrypts: file.encrypts.unwrap_or(false),
            id: file.id,
        })))
    }
}

impl Registration {
    /// Whether it may act for `user`: its own one, and those in its namespaces.
    #[must_use]
    pub fn has_user(&self, user: &UserId) -> bool {
        *user == self.sender || any(&self.users, user.as_str())
    }

    /// Whether `user` is for it alone.
    #[must_use]
    pub fn owns_user(&self, user: &UserId) -> bool {
        *user == self.sender || any_exclusive(&self.users, user.as_str())
    }

    /// Whether `alias` is in its namespaces.
    #[must_use]
    pub fn has_alias(&self, alias: &RoomAliasId) -> bool {
        any(&self.aliases, alias.as_str())
    }

    /// Whether `alias` is for it alone.
    #[must_use]
    pub fn owns_alias(&self, alias: &RoomAliasId) -> bool {
        any_exclusive(&self.aliases, alias.as_str())
    }

    /// Whether `room` is in its namespaces.
    #[must_use]
    pub fn has_room(&self, room: &RoomId) -> bool {
        any(&self.rooms, room.as_str())
    }

    /// Whether it has namespaces of aliases at all.
    #[must_use]
    pub fn has_aliases(&self) -> bool {
        !self.aliases.is_empty()
    }

    /// Whether rate limits hold for what it does as `user`.
    #[must_use]
    pub fn is_limited(&self, user: &UserId) -> bool {
        self.rate_limited && *user != self.sender
    }
}

fn any(namespaces: &[Namespace], name: &str) -> bool {
    namespaces.iter().any(|namespace| namespace.has(name))
}

fn any_exclusive(namespaces: &[Namespace], name: &str) -> bool {
    namespaces.iter().any(|namespace| namespace.exclusive && namespace.has(name))
}

/// Key and reason, without the value: serde says "invalid type: string "secret", expected a boolean".
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> (String, String) {
    let message = error.inner().to_string();
    let path = error.path().to_string();
    if let Some(missing) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        let key = if path == "." { missing.to_owned() } else { format!("{path}.{missing}") };
        return (key, "is missing".to_owned());
    }
    let reason = match message.rsplit_once("expected ") {
        Some((_, expected)) => format!("must be {expected}"),
        None => "has a wrong value".to_owned(),
    };
    (if path == "." { "the file".to_owned() } else { path }, reason)
}
