//! A parsed event, immutable once it is behind an `Arc`.

use std::borrow::Cow;

use bytes::Bytes;
use ruma::{
    CanonicalJsonObject, EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UInt,
    UserId,
    events::TimelineEventType,
    room_version_rules::{EventIdFormatVersion, EventsReferenceFormatVersion, RoomIdFormatVersion, RoomVersionRules},
    state_res::Event,
};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::{
    canonical::{self, Integers, Json, JsonError},
    hash::{encode_reference, reference_hash},
    scan::{Layout, Span, field, unescaped, unquoted},
};

/// The largest event in bytes, as canonical JSON with signatures and without `unsigned`.
pub const MAX_EVENT_BYTES: usize = 65_536;
/// The longest `sender`, `room_id`, `event_id`, `state_key` and `type` in bytes.
pub const MAX_FIELD_BYTES: usize = 255;
/// The most entries of `prev_events`.
pub const MAX_PREV_EVENTS: usize = 20;
/// The most entries of `auth_events`.
pub const MAX_AUTH_EVENTS: usize = 10;

/// Why an event is no event of its room version; such an event is dropped, not stored.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// It is not canonical JSON, or has numbers that the room version does not allow.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It has more than [`MAX_EVENT_BYTES`].
    #[error("the event has {0} bytes, more than {MAX_EVENT_BYTES}")]
    TooLarge(usize),
    /// A string is longer than [`MAX_FIELD_BYTES`].
    #[error("`{0}` is longer than {MAX_FIELD_BYTES} bytes")]
    TooLong(&'static str),
    /// There are too many `prev_events` or `auth_events`.
    #[error("too many `{0}`")]
    TooMany(&'static str),
    /// A field is missing or malformed.
    #[error("missing or malformed `{0}`")]
    Field(&'static str),
}

/// An event in federation form.
#[derive(Debug, Clone)]
pub struct Pdu {
    /// The id: from the event itself in room versions 1 and 2, its reference hash after that.
    pub event_id: OwnedEventId,
    /// The room; for the create event of a version 12 room it is made from the event id.
    pub room_id: OwnedRoomId,
    /// The user who sent it.
    pub sender: OwnedUserId,
    /// The event type.
    pub kind: TimelineEventType,
    /// Present, though perhaps empty, on state events.
    pub state_key: Option<String>,
    /// The content, a JSON object.
    pub content: Box<RawValue>,
    /// When the sending server says it was sent.
    pub origin_server_ts: MilliSecondsSinceUnixEpoch,
    /// One more than the greatest depth among `prev_events`, as the sending server says.
    pub depth: u64,
    /// The events that came right before it.
    pub prev_events: Vec<OwnedEventId>,
    /// The state events that allow it.
    pub auth_events: Vec<OwnedEventId>,
    /// What an `m.room.redaction` event redacts, wherever its room version keeps that.
    pub redacts: Option<OwnedEventId>,
    /// Whether it failed authorization by its auth events or by the state before it. Set by whoever
    /// checked that, never by parsing.
    pub rejected: bool,
    /// Whether this is the redacted form.
    pub redacted: bool,
    /// Whether `room_id` is not in the event but was made from its id.
    pub(crate) room_id_from_id: bool,
    pub(crate) layout: Layout,
    json: Bytes,
}

impl Pdu {
    /// Parses an event from elsewhere: checks the format of its room version, brings it into
    /// canonical form without `unsigned`, and computes its id.
    ///
    /// # Errors
    /// [`FormatError`]; the event is then to be dropped.
    pub fn parse(json: &[u8], rules: &RoomVersionRules) -> Result<Self, FormatError> {
        let pdu = Self::parse_uncounted(json, rules)?;
        if pdu.prev_events.len() > MAX_PREV_EVENTS {
            return Err(FormatError::TooMany("prev_events"));
        }
        if pdu.auth_events.len() > MAX_AUTH_EVENTS {
            return Err(FormatError::TooMany("auth_events"));
        }
        Ok(pdu)
    }

    /// As [`Pdu::parse`], but any number of `prev_events` and `auth_events` is good: for the events
    /// of a `/backfill` response.
    ///
    /// # Errors
    /// [`FormatError`]; the event is then to be dropped.
    pub fn parse_uncounted(json: &[u8], rules: &RoomVersionRules) -> Result<Self, FormatError> {
        let mut entries = Json::parse_object(json)?;
        let keeps_id = rules.event_id_format == EventIdFormatVersion::V1;
        entries.retain(|(key, _)| key != "unsigned" && (keeps_id || key != "event_id"));
        let integers = integers(rules);
        let mut canonical = Vec::with_capacity(json.len());
        canonical::write_object(&mut canonical, &entries, integers)?;
        if canonical.len() > MAX_EVENT_BYTES {
            return Err(FormatError::TooLarge(canonical.len()));
        }
        let layout = Layout::scan(&canonical).map_err(FormatError::Field)?;
        let event_id = if keeps_id {
            parse_id(&canonical, layout.event_id)?
        } else {
            let hash = reference_hash(&canonical, rules);
            EventId::parse(format!("${hash}")).map_err(|_| FormatError::Field("event_id"))?
        };
        Self::assemble(Bytes::from(canonical), layout, event_id, rules)
    }

    /// As [`Pdu::parse`], of an object in memory.
    ///
    /// # Errors
    /// [`FormatError`]; the event is then to be dropped.
    pub fn from_object(object: &CanonicalJsonObject, rules: &RoomVersionRules) -> Result<Self, FormatError> {
        let json = serde_json::to_vec(object).map_err(|error| FormatError::Json(JsonError::Syntax(error)))?;
        Self::parse(&json, rules)
    }

    /// The event as canonical JSON in federation format, without `unsigned` and, from room version
    /// 3 on, without `event_id`.
    #[must_use]
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// Whether it is a state event with this type and key.
    #[must_use]
    pub fn is_state(&self, kind: &TimelineEventType, state_key: &str) -> bool {
        self.kind == *kind && self.state_key.as_deref() == Some(state_key)
    }

    /// Builds the fields from canonical JSON whose id is known.
    pub(crate) fn assemble(
        json: Bytes,
        layout: Layout,
        event_id: OwnedEventId,
        rules: &RoomVersionRules,
    ) -> Result<Self, FormatError> {
        let kind = text(&json, layout.kind, "type")?;
        let is_create = kind == "m.room.create";
        let room_id_from_id = is_create && rules.room_id_format == RoomIdFormatVersion::V2;
        let room_id = match (room_id_from_id, layout.room_id) {
            (true, None) => room_id_of_create(&event_id)?,
            (true, Some(_)) => return Err(FormatError::Field("room_id")),
            (false, span) => {
                let id = text(&json, span, "room_id")?;
                RoomId::parse(&*id).map_err(|_| FormatError::Field("room_id"))?
            }
        };
        let sender = text(&json, layout.sender, "sender")?;
        let sender = UserId::parse(&*sender).map_err(|_| FormatError::Field("sender"))?;
        let state_key = match layout.state_key {
            Some(span) => Some(state_key_of(&json, span, rules)?),
            None => None,
        };
        object(&json, layout.signatures, "signatures")?;
        let hashes = object(&json, layout.hashes, "hashes")?;
        if field(hashes, "sha256").and_then(|value| unquoted(hashes, value)).is_none() {
            return Err(FormatError::Field("hashes"));
        }
        let content = object(&json, layout.content, "content")?;
        let redacts = if kind == "m.room.redaction" { redacts_span(&json, &layout, rules) } else { None };
        let redacts = redacts.and_then(|span| EventId::parse(&*unescaped(&json, span)?).ok());
        let content = String::from_utf8(content.to_vec())
            .ok()
            .and_then(|content| RawValue::from_string(content).ok())
            .ok_or(FormatError::Field("content"))?;
        let timestamp = integer(&json, layout.origin_server_ts, "origin_server_ts")?;
        let timestamp = UInt::try_from(timestamp).map_err(|_| FormatError::Field("origin_server_ts"))?;
        Ok(Self {
            room_id,
            sender,
            state_key,
            content,
            redacts,
            origin_server_ts: MilliSecondsSinceUnixEpoch(timestamp),
            depth: integer(&json, layout.depth, "depth")?,
            prev_events: references(&json, layout.prev_events, "prev_events", rules)?,
            auth_events: references(&json, layout.auth_events, "auth_events", rules)?,
            kind: TimelineEventType::from(&*kind),
            event_id,
            rejected: false,
            redacted: false,
            room_id_from_id,
            layout,
            json,
        })
    }
}

/// The integers that events of a room version may have.
pub(crate) fn integers(rules: &RoomVersionRules) -> Integers {
    if rules.authorization.strict_canonical_json { Integers::Strict } else { Integers::Lenient }
}

/// The id of the room that a create event opens, from room version 12 on.
fn room_id_of_create(event_id: &EventId) -> Result<OwnedRoomId, FormatError> {
    let opaque = event_id.as_str().strip_prefix('$').ok_or(FormatError::Field("event_id"))?;
    RoomId::parse(format!("!{opaque}")).map_err(|_| FormatError::Field("event_id"))
}

/// The id of the create event of a room of version 12 or later.
#[must_use]
pub fn create_event_id(room_id: &RoomId) -> Option<OwnedEventId> {
    EventId::parse(format!("${}", room_id.as_str().strip_prefix('!')?)).ok()
}

/// The id of an event: see [`encode_reference`] for how room versions differ.
pub(crate) fn id_from_digest(digest: &[u8], rules: &RoomVersionRules) -> Option<OwnedEventId> {
    EventId::parse(format!("${}", encode_reference(digest, rules))).ok()
}

/// Reads the id of an event of room version 1 or 2. It must name a server, and ids that JSON would
/// have to escape are refused, so that ids can be copied everywhere.
fn parse_id(json: &[u8], span: Option<Span>) -> Result<OwnedEventId, FormatError> {
    let id = text(json, span, "event_id")?;
    let plain = !id.bytes().any(|b| b < 0x20 || b == b'"' || b == b'\\');
    let id = EventId::parse(&*id).map_err(|_| FormatError::Field("event_id"))?;
    if !plain || id.server_name().is_none() {
        return Err(FormatError::Field("event_id"));
    }
    Ok(id)
}

fn text<'a>(json: &'a [u8], span: Option<Span>, name: &'static str) -> Result<Cow<'a, str>, FormatError> {
    let text = span.and_then(|span| unescaped(json, span)).ok_or(FormatError::Field(name))?;
    if text.len() > MAX_FIELD_BYTES {
        return Err(FormatError::TooLong(name));
    }
    Ok(text)
}

/// A state key. Rooms of versions before 11 hold events that were let in by the number of characters.
fn state_key_of(json: &[u8], span: Span, rules: &RoomVersionRules) -> Result<String, FormatError> {
    let text = unescaped(json, span).ok_or(FormatError::Field("state_key"))?;
    let strict = rules.authorization.use_room_create_sender;
    let length = if strict { text.len() } else { text.chars().count() };
    if length > MAX_FIELD_BYTES {
        return Err(FormatError::TooLong("state_key"));
    }
    Ok(text.into_owned())
}

fn object<'a>(json: &'a [u8], span: Option<Span>, name: &'static str) -> Result<&'a [u8], FormatError> {
    let raw = span.map(|span| span.of(json)).filter(|raw| raw.first() == Some(&b'{'));
    raw.ok_or(FormatError::Field(name))
}

/// Reads an integer that may not be negative.
fn integer(json: &[u8], span: Option<Span>, name: &'static str) -> Result<u64, FormatError> {
    let digits = span.and_then(|span| std::str::from_utf8(span.of(json)).ok());
    digits
        .and_then(|digits| digits.parse::<u64>().ok())
        .filter(|int| i64::try_from(*int).is_ok())
        .ok_or(FormatError::Field(name))
}

fn references(
    json: &[u8],
    span: Option<Span>,
    name: &'static str,
    rules: &RoomVersionRules,
) -> Result<Vec<OwnedEventId>, FormatError> {
    let raw = span.ok_or(FormatError::Field(name))?.of(json);
    let ids = match rules.events_reference_format {
        EventsReferenceFormatVersion::V1 => serde_json::from_slice::<Vec<(OwnedEventId, IgnoredAny)>>(raw)
            .map(|pairs| pairs.into_iter().map(|(id, _)| id).collect()),
        _ => serde_json::from_slice::<Vec<OwnedEventId>>(raw),
    };
    ids.map_err(|_| FormatError::Field(name))
}

/// Where a redaction names its target: at the top level, or in the content from version 11 on.
pub(crate) fn redacts_span(json: &[u8], layout: &Layout, rules: &RoomVersionRules) -> Option<Span> {
    if !rules.redaction.content_field_redacts {
        return layout.redacts;
    }
    let outer = layout.content?;
    let content = outer.of(json);
    let text = unquoted(content, field(content, "redacts")?)?;
    Some(text.shifted(outer.range().start))
}

impl Event for Pdu {
    type Id = OwnedEventId;

    fn event_id(&self) -> &Self::Id {
        &self.event_id
    }

    /// `None` for events that carry no room id, which is how the rules of version 12 tell them.
    fn room_id(&self) -> Option<&RoomId> {
        (!self.room_id_from_id).then_some(&*self.room_id)
    }

    fn sender(&self) -> &UserId {
        &self.sender
    }

    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.origin_server_ts
    }

    fn event_type(&self) -> &TimelineEventType {
        &self.kind
    }

    fn content(&self) -> &RawValue {
        &self.content
    }

    fn state_key(&self) -> Option<&str> {
        self.state_key.as_deref()
    }

    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.prev_events.iter())
    }

    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.auth_events.iter())
    }

    fn redacts(&self) -> Option<&Self::Id> {
        self.redacts.as_ref()
    }

    fn rejected(&self) -> bool {
        self.rejected
    }
}
