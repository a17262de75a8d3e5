//! The `X-Matrix` credentials of a request from another server. Server-server API, "Request authentication".

use event::{
    canonical::{Integers, canonicalize},
    verify::verify_bytes,
};
use ruma::{OwnedServerName, OwnedServerSigningKeyId, ServerName};

/// Longest header that is read, in bytes: four values of at most 255 bytes and what is around them.
const MAX_BYTES: usize = 4096;

/// Who claims to have sent a request, and the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XMatrix {
    /// The sender.
    pub origin: OwnedServerName,
    /// For whom it is meant; old servers leave it out.
    pub destination: Option<OwnedServerName>,
    /// The sender's key, like `ed25519:a1`.
    pub key_id: OwnedServerSigningKeyId,
    /// The signature in base64.
    pub signature: String,
}

/// Why a header holds no credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XMatrixError {
    /// It has another scheme.
    #[error("the Authorization header is not of the scheme X-Matrix")]
    Scheme,
    /// It is longer than any good one.
    #[error("the Authorization header is too long")]
    TooLong,
    /// It breaks off, or something stands where it cannot.
    #[error("the Authorization header is malformed")]
    Syntax,
    /// A parameter is missing.
    #[error("the Authorization header has no `{0}`")]
    Missing(&'static str),
    /// A parameter is there twice.
    #[error("the Authorization header has `{0}` twice")]
    Twice(&'static str),
    /// A parameter has no value that could be meant.
    #[error("`{0}` of the Authorization header is not valid")]
    Invalid(&'static str),
}

/// What is signed of a request.
#[derive(Debug, Clone, Copy)]
pub struct Signable<'a> {
    /// `GET`, `PUT`, `POST`.
    pub method: &'a str,
    /// Path and query as they came.
    pub uri: &'a str,
    /// Who sends it.
    pub origin: &'a ServerName,
    /// Who receives it.
    pub destination: &'a ServerName,
    /// The body; empty when there is none.
    pub body: &'a [u8],
}

impl XMatrix {
    /// Reads the value of an `Authorization` header: scheme and names in any case, values with and without quotes.
    ///
    /// # Errors
    /// [`XMatrixError`].
    pub fn parse(header: &str) -> Result<Self, XMatrixError> {
        if header.len() > MAX_BYTES {
            return Err(XMatrixError::TooLong);
        }
        let (scheme, rest) = header.trim_start().split_once([' ', '\t']).ok_or(XMatrixError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("X-Matrix") {
            return Err(XMatrixError::Scheme);
        }
        let mut found = Found::default();
        let mut params = Params(rest);
        while let Some((name, value)) = params.next()? {
            found.take(name, value)?;
        }
        found.finish()
    }

    /// Whether the signature is that of `request` by the key `public`.
    #[must_use]
    pub fn is_signed(&self, request: &Signable<'_>, public: &[u8; 32]) -> bool {
        let good = |content: &[u8]| verify_bytes(public, &self.signature, &request.bytes(content));
        // Most servers send the very bytes that they signed.
        if good(request.body) {
            return true;
        }
        let canonical = canonicalize(request.body, Integers::Lenient);
        canonical.is_ok_and(|canonical| canonical != request.body && good(&canonical))
    }
}

impl Signable<'_> {
    /// The canonical JSON that is signed, when `content` is the canonical body.
    #[must_use]
    pub fn bytes(&self, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(content.len() + self.uri.len() + 600);
        out.push(b'{');
        if !content.is_empty() {
            out.extend_from_slice(b"\"content\":");
            out.extend_from_slice(content);
            out.push(b',');
        }
        let fields = [
            ("\"destination\":", self.destination.as_str()),
            (",\"method\":", self.method),
            (",\"origin\":", self.origin.as_str()),
            (",\"uri\":", self.uri),
        ];
        for (name, value) in fields {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(serde_json::Value::from(value).to_string().as_bytes());
        }
        out.push(b'}');
        out
    }
}

/// The parameters so far.
#[derive(Default)]
struct Found {
    origin: Option<OwnedServerName>,
    destination: Option<OwnedServerName>,
    key_id: Option<OwnedServerSigningKeyId>,
    signature: Option<String>,
}

impl Found {
    fn take(&mut self, name: &str, value: String) -> Result<(), XMatrixError> {
        match name.to_ascii_lowercase().as_str() {
            "origin" => set(&mut self.origin, "origin", OwnedServerName::try_from(value).ok()),
            "destination" => set(&mut self.destination, "destination", OwnedServerName::try_from(value).ok()),
            "key" => {
                let key_id = Some(value).filter(|id| id.len() <= 255 && id.starts_with("ed25519:"));
                set(&mut self.key_id, "key", key_id.and_then(|id| OwnedServerSigningKeyId::try_from(id).ok()))
            }
            "sig" => set(&mut self.signature, "sig", Some(value).filter(|sig| !sig.is_empty())),
            // Later versions may add some.
            _ => Ok(()),
        }
    }

    fn finish(self) -> Result<XMatrix, XMatrixError> {
        Ok(XMatrix {
            origin: self.origin.ok_or(XMatrixError::Missing("origin"))?,
            destination: self.destination,
            key_id: self.key_id.ok_or(XMatrixError::Missing("key"))?,
            signature: self.signature.ok_or(XMatrixError::Missing("sig"))?,
        })
    }
}

fn set<T>(place: &mut Option<T>, name: &'static str, value: Option<T>) -> Result<(), XMatrixError> {
    if place.is_some() {
        return Err(XMatrixError::Twice(name));
    }
    *place = Some(value.ok_or(XMatrixError::Invalid(name))?);
    Ok(())
}

/// What is left of `name=value, name="value"`.
struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    fn next(&mut self) -> Result<Option<(&'a str, String)>, XMatrixError> {
        self.0 = self.0.trim_start_matches([' ', '\t', ',']);
        if self.0.is_empty() {
            return Ok(None);
        }
        let (name, rest) = self.0.split_once('=').ok_or(XMatrixError::Syntax)?;
        let name = name.trim_end_matches([' ', '\t']);
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(XMatrixError::Syntax);
        }
        self.0 = rest.trim_start_matches([' ', '\t']);
        let value = match self.0.strip_prefix('"') {
            Some(quoted) => self.quoted(quoted)?,
            None => self.bare(),
        };
        // After a value comes a comma or the end.
        self.0 = self.0.trim_start_matches([' ', '\t']);
        if !(self.0.is_empty() || self.0.starts_with(',')) {
            return Err(XMatrixError::Syntax);
        }
        Ok(Some((name, value)))
    }

    /// Up to the closing quote; a backslash takes the meaning from what follows it.
    fn quoted(&mut self, text: &'a str) -> Result<String, XMatrixError> {
        let mut value = String::new();
        let mut chars = text.chars();
        loop {
            match chars.next().ok_or(XMatrixError::Syntax)? {
                '"' => break,
                '\\' => value.push(chars.next().ok_or(XMatrixError::Syntax)?),
                other => value.push(other),
            }
        }
        self.0 = chars.as_str();
        Ok(value)
    }

    /// Up to a comma or a space: old servers leave the quotes out even around colons.
    fn bare(&mut self) -> String {
        let end = self.0.find([',', ' ', '\t', '"']).unwrap_or(self.0.len());
        let (value, rest) = self.0.split_at(end);
        self.0 = rest;
        value.to_owned()
    }
}

#[cfg(test)]
mod tests;
