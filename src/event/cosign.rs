//! Adding our signature to an event of another server.

use std::borrow::Cow;

use bytes::Bytes;
use ruma::room_version_rules::RoomVersionRules;

use crate::{
    canonical::{Json, JsonError, write_object},
    pdu::{FormatError, MAX_EVENT_BYTES, Pdu, integers},
    redact::redacted_json,
    scan::Layout,
    sign::Signer,
};

type Entries<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

impl Pdu {
    /// This event with the signature of `signer` added, as a server gives it to an invite that it takes and to a join
    /// that it vouches for. Its id stays.
    ///
    /// # Errors
    /// [`FormatError::TooLarge`] when there is no room for the signature; [`FormatError::Json`] when `signatures`
    /// has something else than an object for the server.
    pub fn cosigned(&self, signer: &Signer, rules: &RoomVersionRules) -> Result<Pdu, FormatError> {
        let message = redacted_json(self.json(), &self.kind.to_string(), &rules.redaction, false);
        self.with_signature((signer.server_name().as_str(), signer.key_id().as_str()), &signer.sign(&message), rules)
    }

    /// This event with a signature added that another server made, with the key of that name. Its id stays.
    ///
    /// # Errors
    /// As [`Pdu::cosigned`].
    pub fn with_signature(
        &self,
        (server, key_id): (&str, &str),
        signature: &str,
        rules: &RoomVersionRules,
    ) -> Result<Pdu, FormatError> {
        let mut event = Json::parse_object(self.json())?;
        let all = object_at(&mut event, "signatures")?;
        put(object_at(all, server)?, key_id, Json::Text(Cow::Borrowed(signature)));
        let mut json = Vec::with_capacity(self.json().len() + 160);
        write_object(&mut json, &event, integers(rules))?;
        if json.len() > MAX_EVENT_BYTES {
            return Err(FormatError::TooLarge(json.len()));
        }
        let layout = Layout::scan(&json).map_err(FormatError::Field)?;
        let mut pdu = Pdu::assemble(Bytes::from(json), layout, self.event_id.clone(), rules)?;
        (pdu.rejected, pdu.redacted) = (self.rejected, self.redacted);
        Ok(pdu)
    }
}

/// Sets an entry of an object whose entries are sorted.
fn put<'a>(entries: &mut Entries<'a>, key: &'a str, value: Json<'a>) {
    match entries.binary_search_by(|(name, _)| (**name).cmp(key)) {
        Ok(at) => {
            if let Some((_, old)) = entries.get_mut(at) {
                *old = value;
            }
        }
        Err(at) => entries.insert(at, (Cow::Borrowed(key), value)),
    }
}

/// The object under a key, made when missing.
fn object_at<'a, 'b>(entries: &'b mut Entries<'a>, key: &'a str) -> Result<&'b mut Entries<'a>, JsonError> {
    let at = match entries.binary_search_by(|(name, _)| (**name).cmp(key)) {
        Ok(at) => at,
        Err(at) => {
            entries.insert(at, (Cow::Borrowed(key), Json::Object(Vec::new())));
            at
        }
    };
    match entries.get_mut(at) {
        Some((_, Json::Object(object))) => Ok(object),
        _ => Err(JsonError::NotObject),
    }
}
