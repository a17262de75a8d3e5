//! Building events of our own: content in, hashed and signed event out.

use std::borrow::Cow;

use bytes::Bytes;
use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, UserId,
    events::TimelineEventType,
    room_version_rules::{EventIdFormatVersion, EventsReferenceFormatVersion, RoomVersionRules},
};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::{
    canonical::{Integers, Json, JsonError, write_int, write_object, write_str},
    hash::{base64, content_hash},
    pdu::{FormatError, MAX_EVENT_BYTES, MAX_FIELD_BYTES, Pdu, id_from_digest, integers},
    redact::redacted_json,
    scan::Layout,
    sign::Signer,
};

/// What someone wants to send, before it has a place in a room.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The event type.
    pub kind: TimelineEventType,
    /// Present on state events.
    pub state_key: Option<String>,
    /// The content, a JSON object as the client wrote it.
    pub content: Box<RawValue>,
    /// What an `m.room.redaction` redacts; ends up wherever the room version wants it. When `None`,
    /// `redacts` in the content counts.
    pub redacts: Option<OwnedEventId>,
}

/// Where an event goes in a room.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The room; `None` only for the create event of a room of version 12 or later.
    pub room_id: Option<&'a RoomId>,
    /// The sender, a user of this server.
    pub sender: &'a UserId,
    /// The forward extremities of the room.
    pub prev_events: &'a [OwnedEventId],
    /// The events that allow this one; see [`crate::auth_types`].
    pub auth_events: &'a [OwnedEventId],
    /// Reference hashes of `prev_events` and `auth_events`, see [`crate::reference_hash`]. Needed in
    /// room versions 1 and 2 only.
    pub hashes: &'a [(OwnedEventId, String)],
    /// One more than the greatest depth among `prev_events`; clamped here to what the version allows.
    pub depth: u64,
    /// The time now.
    pub origin_server_ts: MilliSecondsSinceUnixEpoch,
    /// Random bytes, for the event id in room versions 1 and 2.
    pub random: [u8; 16],
}

/// Why a draft cannot become an event.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The event, or one of its fields, would be too large.
    #[error("the event is too large: {0}")]
    TooLarge(FormatError),
    /// The content has no canonical form.
    #[error("bad content: {0}")]
    BadJson(#[from] JsonError),
    /// A reference hash that room versions 1 and 2 need was not given.
    #[error("no reference hash for {0}")]
    NoHash(OwnedEventId),
    /// The caller gave something that makes no event, such as no room id.
    #[error(transparent)]
    Format(FormatError),
}

impl From<FormatError> for BuildError {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::TooLarge(_) | FormatError::TooLong(_) => Self::TooLarge(error),
            FormatError::Json(error) => Self::BadJson(error),
            FormatError::TooMany(_) | FormatError::Field(_) => Self::Format(error),
        }
    }
}

/// The values of an event, ready to be written down.
struct Parts<'a> {
    draft: &'a Draft,
    place: &'a Place<'a>,
    rules: &'a RoomVersionRules,
    content: Vec<u8>,
    event_id: Option<OwnedEventId>,
    redacts: Option<Cow<'a, str>>,
}

impl Draft {
    /// A draft of a message event.
    #[must_use]
    pub fn message(kind: TimelineEventType, content: Box<RawValue>) -> Self {
        Self { kind, state_key: None, content, redacts: None }
    }

    /// A draft of a state event.
    #[must_use]
    pub fn state(kind: TimelineEventType, state_key: impl Into<String>, content: Box<RawValue>) -> Self {
        Self { kind, state_key: Some(state_key.into()), content, redacts: None }
    }

    /// Builds the event: canonical content, hashes, signature, id. Authorization comes after this.
    ///
    /// # Errors
    /// [`BuildError`]; what the client did wrong is `TooLarge` or `BadJson`.
    pub fn build(&self, place: &Place<'_>, signer: &Signer, rules: &RoomVersionRules) -> Result<Pdu, BuildError> {
        let v1_ids = rules.event_id_format == EventIdFormatVersion::V1;
        if self.state_key.as_ref().is_some_and(|key| key.len() > MAX_FIELD_BYTES) {
            return Err(FormatError::TooLong("state_key").into());
        }
        let (content, redacts) = self.content(rules)?;
        let event_id = if v1_ids { Some(random_id(&place.random, signer)?) } else { None };
        let parts = Parts { draft: self, place, rules, content, event_id, redacts };

        let bare = parts.write(None, None)?;
        let hash = base64(&content_hash(&bare));
        let hashed = parts.write(Some(&hash), None)?;
        let kind = self.kind.to_string();
        let message = redacted_json(&hashed, &kind, &rules.redaction, false);
        let signature = signer.sign(&message);
        let json = parts.write(Some(&hash), Some((signer, &signature)))?;
        if json.len() > MAX_EVENT_BYTES {
            return Err(FormatError::TooLarge(json.len()).into());
        }
        let event_id = match parts.event_id {
            Some(id) => id,
            None => id_from_digest(&Sha256::digest(&message), rules).ok_or(FormatError::Field("event_id"))?,
        };
        let layout = Layout::scan(&json).map_err(FormatError::Field)?;
        Ok(Pdu::assemble(Bytes::from(json), layout, event_id, rules)?)
    }

    /// The canonical content, and the target of a redaction if that goes to the top level.
    fn content(&self, rules: &RoomVersionRules) -> Result<(Vec<u8>, Option<Cow<'_, str>>), BuildError> {
        let raw = self.content.get();
        let mut entries = Json::parse_object(raw.as_bytes())?;
        let mut redacts = self.redacts.as_ref().map(|id| Cow::Borrowed(id.as_str()));
        if self.kind == TimelineEventType::RoomRedaction {
            let at = entries.binary_search_by(|(key, _)| (**key).cmp("redacts"));
            if rules.redaction.content_field_redacts {
                if let Some(id) = redacts.take() {
                    if let Ok(at) = at {
                        entries.remove(at);
                    }
                    let at = at.unwrap_or_else(|at| at);
                    entries.insert(at, (Cow::Borrowed("redacts"), Json::Text(id)));
                }
            } else if let Ok(at) = at {
                let (_, value) = entries.remove(at);
                if let (None, Json::Text(id)) = (&redacts, value) {
                    redacts = Some(id);
                }
            }
        } else {
            redacts = None;
        }
        let mut content = Vec::with_capacity(raw.len() + 64);
        write_object(&mut content, &entries, integers(rules))?;
        Ok((content, redacts))
    }
}

impl Parts<'_> {
    /// Writes the event in canonical order of keys.
    fn write(&self, hash: Option<&str>, signature: Option<(&Signer, &str)>) -> Result<Vec<u8>, BuildError> {
        let (draft, place) = (self.draft, self.place);
        let mut out = Vec::with_capacity(self.content.len() + 900);
        out.extend_from_slice(b"{\"auth_events\":");
        self.write_references(&mut out, place.auth_events)?;
        out.extend_from_slice(b",\"content\":");
        out.extend_from_slice(&self.content);
        out.extend_from_slice(b",\"depth\":");
        let most = match integers(self.rules) {
            Integers::Strict => crate::canonical::MAX_SAFE_INT,
            Integers::Lenient => i64::MAX,
        };
        write_int(&mut out, i64::try_from(place.depth).unwrap_or(most).min(most));
        if let Some(id) = &self.event_id {
            out.extend_from_slice(b",\"event_id\":");
            write_str(&mut out, id.as_str());
        }
        if let Some(hash) = hash {
            out.extend_from_slice(b",\"hashes\":{\"sha256\":\"");
            out.extend_from_slice(hash.as_bytes());
            out.extend_from_slice(b"\"}");
        }
        out.extend_from_slice(b",\"origin_server_ts\":");
        write_int(&mut out, place.origin_server_ts.get().into());
        out.extend_from_slice(b",\"prev_events\":");
        self.write_references(&mut out, place.prev_events)?;
        if let Some(id) = &self.redacts {
            out.extend_from_slice(b",\"redacts\":");
            write_str(&mut out, id);
        }
        if let Some(id) = place.room_id {
            out.extend_from_slice(b",\"room_id\":");
            write_str(&mut out, id.as_str());
        }
        out.extend_from_slice(b",\"sender\":");
        write_str(&mut out, place.sender.as_str());
        if let Some((signer, signature)) = signature {
            out.extend_from_slice(b",\"signatures\":{");
            write_str(&mut out, signer.server_name().as_str());
            out.extend_from_slice(b":{");
            write_str(&mut out, signer.key_id().as_str());
            out.push(b':');
            write_str(&mut out, signature);
            out.extend_from_slice(b"}}");
        }
        if let Some(key) = &draft.state_key {
            out.extend_from_slice(b",\"state_key\":");
            write_str(&mut out, key);
        }
        out.extend_from_slice(b",\"type\":");
        write_str(&mut out, &draft.kind.to_string());
        out.push(b'}');
        Ok(out)
    }

    fn write_references(&self, out: &mut Vec<u8>, ids: &[OwnedEventId]) -> Result<(), BuildError> {
        out.push(b'[');
        for (index, id) in ids.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            if self.rules.events_reference_format == EventsReferenceFormatVersion::V1 {
                let found = self.place.hashes.iter().find(|(named, _)| named == id);
                let (_, hash) = found.ok_or_else(|| BuildError::NoHash(id.clone()))?;
                out.push(b'[');
                write_str(out, id.as_str());
                out.extend_from_slice(b",{\"sha256\":");
                write_str(out, hash);
                out.extend_from_slice(b"}]");
            } else {
                write_str(out, id.as_str());
            }
        }
        out.push(b']');
        Ok(())
    }
}

/// An event id of room versions 1 and 2.
fn random_id(random: &[u8; 16], signer: &Signer) -> Result<OwnedEventId, FormatError> {
    let opaque: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    EventId::parse(format!("${opaque}:{}", signer.server_name())).map_err(|_| FormatError::Field("event_id"))
}
