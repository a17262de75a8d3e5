//! Finds the parts of a canonical event without building a tree.
//!
//! The input is text that this crate has written (or stored) itself; a malformed one ends the
//! walk early and never panics.

use std::{borrow::Cow, ops::Range};

/// A byte range; 32 bits suffice, as events have at most 65536 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(crate) fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.range()).unwrap_or_default()
    }

    pub(crate) fn shifted(self, by: usize) -> Span {
        let by = u32::try_from(by).unwrap_or(u32::MAX);
        Span { start: self.start.saturating_add(by), end: self.end.saturating_add(by) }
    }
}

/// Iterates over the entries of a canonical JSON object: raw key (without quotes) and value.
pub(crate) struct Fields<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// The entries of the object which `json` consists of.
    pub(crate) fn of(json: &'a [u8]) -> Self {
        Self { json, at: 0 }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], Span);

    fn next(&mut self) -> Option<Self::Item> {
        // Stands on `{` or on the `,` before the next key.
        let first = *self.json.get(self.at)?;
        if first != b'{' && first != b',' {
            return None;
        }
        let key_start = self.at + 2;
        let key_end = skip_string(self.json, self.at + 1)?;
        let key = self.json.get(key_start..key_end - 1)?;
        let start = key_end + 1;
        let end = skip_value(self.json, start)?;
        self.at = end;
        Some((key, Span { start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()? }))
    }
}

/// The position after the string that opens at `at`.
fn skip_string(json: &[u8], at: usize) -> Option<usize> {
    if *json.get(at)? != b'"' {
        return None;
    }
    let mut at = at + 1;
    loop {
        at += json.get(at..)?.iter().position(|&b| b == b'"' || b == b'\\')?;
        if *json.get(at)? == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The position after the value that starts at `at`.
fn skip_value(json: &[u8], at: usize) -> Option<usize> {
    match *json.get(at)? {
        b'"' => skip_string(json, at),
        b'{' | b'[' => skip_nested(json, at),
        _ => {
            let rest = json.get(at..)?;
            let len = rest.iter().position(|b| matches!(b, b',' | b'}' | b']')).unwrap_or(rest.len());
            (len > 0).then_some(at + len)
        }
    }
}

fn skip_nested(json: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_u32;
    loop {
        match *json.get(at)? {
            b'"' => {
                at = skip_string(json, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// The text between the quotes of a raw JSON string, or `None` when it is no string.
pub(crate) fn unquoted(json: &[u8], value: Span) -> Option<Span> {
    let raw = value.of(json);
    (raw.len() >= 2 && raw.first() == Some(&b'"')).then(|| Span { start: value.start + 1, end: value.end - 1 })
}

/// The text of a raw JSON string given without its quotes.
pub(crate) fn unescaped(json: &[u8], text: Span) -> Option<Cow<'_, str>> {
    let raw = text.of(json);
    if !raw.contains(&b'\\') {
        return std::str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let quoted = json.get(text.range().start.checked_sub(1)?..text.range().end + 1)?;
    serde_json::from_slice(quoted).ok().map(Cow::Owned)
}

/// Where the parts of a canonical event are. Strings are given without their quotes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Layout {
    pub(crate) auth_events: Option<Span>,
    pub(crate) content: Option<Span>,
    pub(crate) depth: Option<Span>,
    pub(crate) event_id: Option<Span>,
    pub(crate) hashes: Option<Span>,
    pub(crate) origin_server_ts: Option<Span>,
    pub(crate) prev_events: Option<Span>,
    pub(crate) redacts: Option<Span>,
    pub(crate) room_id: Option<Span>,
    pub(crate) sender: Option<Span>,
    pub(crate) signatures: Option<Span>,
    pub(crate) state_key: Option<Span>,
    pub(crate) kind: Option<Span>,
}

impl Layout {
    /// Finds the parts; the error names the first field that should be a string and is not.
    pub(crate) fn scan(json: &[u8]) -> Result<Self, &'static str> {
        let mut found = Self::default();
        for (key, value) in Fields::of(json) {
            let string = |name| unquoted(json, value).map(Some).ok_or(name);
            match key {
                b"auth_events" => found.auth_events = Some(value),
                b"content" => found.content = Some(value),
                b"depth" => found.depth = Some(value),
                b"event_id" => found.event_id = string("event_id")?,
                b"hashes" => found.hashes = Some(value),
                b"origin_server_ts" => found.origin_server_ts = Some(value),
                b"prev_events" => found.prev_events = Some(value),
                // Not checked by any rule, so something else here is no reason to drop the event.
                b"redacts" => found.redacts = unquoted(json, value),
                b"room_id" => found.room_id = string("room_id")?,
                b"sender" => found.sender = string("sender")?,
                b"signatures" => found.signatures = Some(value),
                b"state_key" => found.state_key = string("state_key")?,
                b"type" => found.kind = string("type")?,
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The value of one key of a canonical object, as a span relative to `json`.
pub(crate) fn field(json: &[u8], name: &str) -> Option<Span> {
    Fields::of(json).find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
}
