//! An event as the database keeps it: a small header, then the canonical JSON of the federation
//! format. The header says where in the JSON the parts are that clients see, so that reading an
//! event parses nothing.
//!
//! ```text
//! version u8 | flags u8 | copies u8
//! event id: length, bytes
//! for each bit of `copies`: length, bytes     (strings that JSON escapes, in plain form)
//! content, depth, origin_server_ts, room_id?, sender, state_key?, type:
//!                           distance from the end of the one before, length
//! redacts?:                 start, length
//! canonical JSON
//! ```
//! All numbers are LEB128 varints.

use std::sync::Arc;

use bytes::Bytes;
use ruma::{EventId, room_version_rules::RoomVersionRules};

use crate::{
    pdu::{FormatError, Pdu, redacts_span},
    scan::{Layout, Span},
};

const VERSION: u8 = 1;

pub(crate) const HAS_STATE_KEY: u8 = 1;
pub(crate) const HAS_REDACTS: u8 = 1 << 1;
/// The target of the redaction stands in the content (room versions 11 and later).
pub(crate) const REDACTS_IN_CONTENT: u8 = 1 << 2;
const REJECTED: u8 = 1 << 3;
const REDACTED: u8 = 1 << 4;
const ROOM_ID_FROM_ID: u8 = 1 << 5;

const COPY_SENDER: u8 = 1;
const COPY_KIND: u8 = 1 << 1;
const COPY_STATE_KEY: u8 = 1 << 2;
const COPY_ROOM_ID: u8 = 1 << 3;

/// The bytes are no stored event, or one of an unknown format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("corrupt stored event: {0}")]
pub struct Corrupt(pub &'static str);

/// A string of the event: as it stands in JSON, and in plain form. Mostly these are the same.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Text {
    pub(crate) raw: Span,
    pub(crate) plain: Span,
}

/// A stored event. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    pub(crate) bytes: Bytes,
    pub(crate) flags: u8,
    pub(crate) event_id: Span,
    pub(crate) content: Span,
    depth: Span,
    pub(crate) origin_server_ts: Span,
    pub(crate) redacts: Span,
    pub(crate) room_id: Text,
    pub(crate) sender: Text,
    pub(crate) state_key: Text,
    pub(crate) kind: Text,
    json_at: usize,
}

impl StoredEvent {
    /// The bytes to store for an event.
    #[must_use]
    pub fn encode(pdu: &Pdu, rules: &RoomVersionRules) -> Vec<u8> {
        let layout = &pdu.layout;
        let json = pdu.json();
        let redacts = pdu.redacts.as_ref().and_then(|_| redacts_span(json, layout, rules));
        let mut out = Vec::with_capacity(json.len() + 96);
        out.push(VERSION);
        out.push(flags(pdu, redacts.is_some(), rules));

        let kind = pdu.kind.to_string();
        let copies = [
            (COPY_SENDER, is_escaped(json, layout.sender), pdu.sender.as_str()),
            (COPY_KIND, is_escaped(json, layout.kind), &*kind),
            (COPY_STATE_KEY, is_escaped(json, layout.state_key), pdu.state_key.as_deref().unwrap_or_default()),
            (COPY_ROOM_ID, pdu.room_id_from_id || is_escaped(json, layout.room_id), pdu.room_id.as_str()),
        ];
        out.push(copies.iter().filter(|copy| copy.1).fold(0, |bits, copy| bits | copy.0));
        push_bytes(&mut out, pdu.event_id.as_bytes());
        for (_, _, plain) in copies.iter().filter(|copy| copy.1) {
            push_bytes(&mut out, plain.as_bytes());
        }

        let mut end = 0;
        let required = |span: Option<Span>| Some(span.unwrap_or_default());
        for span in [
            required(layout.content),
            required(layout.depth),
            required(layout.origin_server_ts),
            layout.room_id,
            required(layout.sender),
            layout.state_key,
            required(layout.kind),
        ]
        .into_iter()
        .flatten()
        {
            push_varint(&mut out, span.start.saturating_sub(end));
            push_varint(&mut out, span.end.saturating_sub(span.start));
            end = span.end;
        }
        if let Some(span) = redacts {
            push_varint(&mut out, span.start);
            push_varint(&mut out, span.end.saturating_sub(span.start));
        }
        out.extend_from_slice(json);
        out
    }

    /// Reads the header; nothing is copied and no JSON is parsed.
    ///
    /// # Errors
    /// [`Corrupt`] when the bytes were not written by [`StoredEvent::encode`].
    pub fn decode(bytes: Bytes) -> Result<Self, Corrupt> {
        let mut header = Header { bytes: &bytes, at: 0 };
        if header.byte()? != VERSION {
            return Err(Corrupt("unknown version"));
        }
        let (flags, copies) = (header.byte()?, header.byte()?);
        let event_id = header.bytes()?;
        let mut copy = |bit| if copies & bit != 0 { header.bytes().map(Some) } else { Ok(None) };
        let plain_sender = copy(COPY_SENDER)?;
        let plain_kind = copy(COPY_KIND)?;
        let plain_state_key = copy(COPY_STATE_KEY)?;
        let plain_room_id = copy(COPY_ROOM_ID)?;

        let mut end = 0;
        let content = header.relative(&mut end)?;
        let depth = header.relative(&mut end)?;
        let origin_server_ts = header.relative(&mut end)?;
        let room_id = if flags & ROOM_ID_FROM_ID == 0 { Some(header.relative(&mut end)?) } else { None };
        let sender = header.relative(&mut end)?;
        let state_key = if flags & HAS_STATE_KEY != 0 { header.relative(&mut end)? } else { Span::default() };
        let kind = header.relative(&mut end)?;
        let redacts = if flags & HAS_REDACTS != 0 { header.relative(&mut 0)? } else { Span::default() };
        let json_at = header.at;
        if bytes.len().saturating_sub(json_at) < end as usize || redacts.end > end {
            return Err(Corrupt("truncated"));
        }

        let text = |raw: Span, plain: Option<Span>| {
            let raw = raw.shifted(json_at);
            Text { raw, plain: plain.unwrap_or(raw) }
        };
        let room_id = match (room_id, plain_room_id) {
            (Some(raw), plain) => text(raw, plain),
            (None, Some(plain)) => Text { raw: plain, plain },
            (None, None) => return Err(Corrupt("no room id")),
        };
        Ok(Self {
            flags,
            event_id,
            content: content.shifted(json_at),
            depth: depth.shifted(json_at),
            origin_server_ts: origin_server_ts.shifted(json_at),
            redacts: redacts.shifted(json_at),
            room_id,
            sender: text(sender, plain_sender),
            state_key: text(state_key, plain_state_key),
            kind: text(kind, plain_kind),
            json_at,
            bytes,
        })
    }

    /// The stored form of an event in memory.
    ///
    /// # Errors
    /// None that a parsed event could cause.
    pub fn from_pdu(pdu: &Pdu, rules: &RoomVersionRules) -> Result<Self, Corrupt> {
        Self::decode(Bytes::from(Self::encode(pdu, rules)))
    }

    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(span.of(&self.bytes)).unwrap_or_default()
    }

    /// The event id.
    #[must_use]
    pub fn event_id(&self) -> &str {
        self.text(self.event_id)
    }

    /// The room; for the create event of a version 12 room it is the one made from the event id.
    #[must_use]
    pub fn room_id(&self) -> &str {
        self.text(self.room_id.plain)
    }

    /// The sender.
    #[must_use]
    pub fn sender(&self) -> &str {
        self.text(self.sender.plain)
    }

    /// The event type.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text(self.kind.plain)
    }

    /// The state key; `None` on events that are no state.
    #[must_use]
    pub fn state_key(&self) -> Option<&str> {
        (self.flags & HAS_STATE_KEY != 0).then(|| self.text(self.state_key.plain))
    }

    /// The content, a canonical JSON object.
    #[must_use]
    pub fn content(&self) -> &str {
        self.text(self.content)
    }

    /// What an `m.room.redaction` event redacts.
    #[must_use]
    pub fn redacts(&self) -> Option<&str> {
        (self.flags & HAS_REDACTS != 0).then(|| self.text(self.redacts))
    }

    /// When the sending server says it was sent, in milliseconds since the epoch.
    #[must_use]
    pub fn origin_server_ts(&self) -> u64 {
        self.text(self.origin_server_ts).parse().unwrap_or_default()
    }

    /// The depth that the sending server gave it.
    #[must_use]
    pub fn depth(&self) -> u64 {
        self.text(self.depth).parse().unwrap_or_default()
    }

    /// Whether it failed authorization.
    #[must_use]
    pub fn rejected(&self) -> bool {
        self.flags & REJECTED != 0
    }

    /// Whether this is the redacted form.
    #[must_use]
    pub fn redacted(&self) -> bool {
        self.flags & REDACTED != 0
    }

    /// The event in federation format, ready to be sent; a slice of the stored bytes.
    #[must_use]
    pub fn json(&self) -> Bytes {
        self.bytes.slice(self.json_at.min(self.bytes.len())..)
    }

    /// The bytes that were decoded.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Parses the event in full. Nothing is checked that was checked when it came in.
    ///
    /// # Errors
    /// When the bytes are corrupt, or were written for another room version.
    pub fn to_pdu(&self, rules: &RoomVersionRules) -> Result<Arc<Pdu>, FormatError> {
        let json = self.json();
        let layout = Layout::scan(&json).map_err(FormatError::Field)?;
        let event_id = EventId::parse(self.event_id()).map_err(|_| FormatError::Field("event_id"))?;
        let mut pdu = Pdu::assemble(json, layout, event_id, rules)?;
        pdu.rejected = self.rejected();
        pdu.redacted = self.redacted();
        Ok(Arc::new(pdu))
    }
}

fn flags(pdu: &Pdu, redacts: bool, rules: &RoomVersionRules) -> u8 {
    let mut flags = 0;
    for (set, bit) in [
        (pdu.state_key.is_some(), HAS_STATE_KEY),
        (redacts, HAS_REDACTS),
        (redacts && rules.redaction.content_field_redacts, REDACTS_IN_CONTENT),
        (pdu.rejected, REJECTED),
        (pdu.redacted, REDACTED),
        (pdu.room_id_from_id, ROOM_ID_FROM_ID),
    ] {
        if set {
            flags |= bit;
        }
    }
    flags
}

fn is_escaped(json: &[u8], span: Option<Span>) -> bool {
    span.is_some_and(|span| span.of(json).contains(&b'\\'))
}

fn push_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or_default());
}

fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_varint(out, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(bytes);
}

/// Reads the header.
struct Header<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Header<'_> {
    fn byte(&mut self) -> Result<u8, Corrupt> {
        let byte = *self.bytes.get(self.at).ok_or(Corrupt("truncated"))?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u32, Corrupt> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Corrupt("varint too long"))
    }

    /// A length and as many bytes.
    fn bytes(&mut self) -> Result<Span, Corrupt> {
        let len = self.varint()?;
        let start = u32::try_from(self.at).map_err(|_| Corrupt("too long"))?;
        let end = start.saturating_add(len);
        self.at = end as usize;
        if self.at > self.bytes.len() {
            return Err(Corrupt("truncated"));
        }
        Ok(Span { start, end })
    }

    /// A range given by its distance from `end`, which moves to its end.
    fn relative(&mut self, end: &mut u32) -> Result<Span, Corrupt> {
        let start = end.saturating_add(self.varint()?);
        *end = start.saturating_add(self.varint()?);
        Ok(Span { start, end: *end })
    }
}
