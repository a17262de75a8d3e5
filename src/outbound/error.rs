use std::{error::Error as StdError, io};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address, or every address of the name, is one that must not be connected to.
    #[error("{0} has no public address")]
    Refused(String),
    /// The address is no http or https URL with a host, or a redirect leads to one that is none.
    #[error("not an address for requests: {0}")]
    Url(String),
    /// The name cannot be resolved.
    #[error("cannot resolve {name}: {cause}")]
    Dns {
        /// Which.
        name: String,
        /// Why.
        cause: String,
    },
    /// No connection could be made.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection broke after it was made; the request may have arrived.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The certificate is not that of the host, or TLS failed otherwise.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The time was over.
    #[error("timed out")]
    Timeout,
    /// The answer's body is larger than the request allows.
    #[error("the answer is too large")]
    TooLarge,
    /// More than [`MAX_REDIRECTS`](crate::MAX_REDIRECTS) redirects.
    #[error("too many redirects")]
    TooManyRedirects,
    /// Something else, such as an answer that is no HTTP.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// Whether the same request may succeed later without anybody changing their configuration.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Dns { .. } | Self::Connect(_) | Self::Broken(_) | Self::Tls(_) | Self::Timeout | Self::Other(_)
        )
    }

    /// What went wrong in the HTTP client, found among the causes.
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
        let mut last = String::new();
        while let Some(error) = cause {
            if let Some(ours) = error.downcast_ref::<Self>() {
                return ours.clone();
            }
            if let Some(tls) = as_tls(error) {
                return Self::Tls(tls.to_string());
            }
            last = error.to_string();
            cause = error.source();
        }
        if error.is_timeout() {
            return Self::Timeout;
        }
        match error {
            error if error.is_connect() => Self::Connect(last),
            error if error.is_request() || error.is_body() => Self::Broken(last),
            _ => Self::Other(last),
        }
    }
}

/// The TLS error that an I/O error may hold, itself in another one.
fn as_tls<'a>(mut error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    while let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        error = inner;
    }
    error.downcast_ref()
}
