use std::{fmt, net::IpAddr};

use crate::{Error, Result};

/// An http or https address with a host, in the normal form in which it is sent.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url(reqwest::Url);

impl Url {
    /// Reads an address. Dot segments are resolved and characters escaped as browsers do, so
    /// [`Url::path_and_query`] may differ from what was given.
    ///
    /// # Errors
    /// [`Error::Url`] when it is none, or neither http nor https, or has no host, or holds a password.
    pub fn parse(text: &str) -> Result<Self> {
        let url = reqwest::Url::parse(text).map_err(|error| Error::Url(error.to_string()))?;
        Self::checked(url)
    }

    /// An address relative to this one, as `Location` has it.
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn join(&self, location: &str) -> Result<Self> {
        let url = self.0.join(location).map_err(|error| Error::Url(error.to_string()))?;
        Self::checked(url)
    }

    fn checked(url: reqwest::Url) -> Result<Self> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::Url("neither http nor https".to_owned()));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(Error::Url("no host".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Url("user name or password".to_owned()));
        }
        Ok(Self(url))
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host, an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The host as an address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        let host = self.host();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
    }

    /// The port, also if it is the scheme's.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// Whether it is https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Path and query as they are sent.
    #[must_use]
    pub fn path_and_query(&self) -> String {
        match self.0.query() {
            Some(query) => format!("{}?{query}", self.0.path()),
            None => self.0.path().to_owned(),
        }
    }

    /// Whether both have the same scheme, host and port.
    #[must_use]
    pub fn is_same_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    pub(crate) fn inner(&self) -> &reqwest::Url {
        &self.0
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
