//! Events as clients see them, written by copying slices of the stored bytes.

use crate::{
    redact::push_entry,
    scan::{Fields, field},
    stored::{HAS_REDACTS, HAS_STATE_KEY, REDACTS_IN_CONTENT, StoredEvent},
};

/// Which form of a client event is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFormat {
    /// With `room_id`, as `/messages`, `/context` and application services get it.
    Full,
    /// Without `room_id`, as `/sync` gives it, where the room is known.
    Sync,
    /// As it came over federation, with its id and `unsigned` added.
    Federation,
}

impl StoredEvent {
    /// Appends the event in client format to `out`. `unsigned` is a JSON object, or empty for none.
    pub fn write_client(&self, out: &mut Vec<u8>, format: ClientFormat, unsigned: &[u8]) {
        if format == ClientFormat::Federation {
            return self.write_federation(out, unsigned);
        }
        let bytes = &*self.bytes;
        out.reserve(self.content.len() + unsigned.len() + 384);
        out.extend_from_slice(b"{\"content\":");
        if self.flags & (HAS_REDACTS | REDACTS_IN_CONTENT) == HAS_REDACTS {
            self.write_content_with_redacts(out);
        } else {
            out.extend_from_slice(self.content.of(bytes));
        }
        out.extend_from_slice(b",\"event_id\":\"");
        out.extend_from_slice(self.event_id.of(bytes));
        out.extend_from_slice(b"\",\"origin_server_ts\":");
        out.extend_from_slice(self.origin_server_ts.of(bytes));
        if self.flags & HAS_REDACTS != 0 {
            out.extend_from_slice(b",\"redacts\":\"");
            out.extend_from_slice(self.redacts.of(bytes));
            out.push(b'"');
        }
        if format == ClientFormat::Full {
            out.extend_from_slice(b",\"room_id\":\"");
            out.extend_from_slice(self.room_id.raw.of(bytes));
            out.push(b'"');
        }
        self.write_sender_key_type(out);
        if !unsigned.is_empty() {
            out.extend_from_slice(b",\"unsigned\":");
            out.extend_from_slice(unsigned);
        }
        out.push(b'}');
    }

    /// Appends the stripped form, as invites, knocks and space hierarchies carry it: only `content`,
    /// `sender`, `state_key` and `type`.
    pub fn write_stripped(&self, out: &mut Vec<u8>) {
        out.reserve(self.content.len() + 256);
        out.extend_from_slice(b"{\"content\":");
        out.extend_from_slice(self.content.of(&self.bytes));
        self.write_sender_key_type(out);
        out.push(b'}');
    }

    fn write_federation(&self, out: &mut Vec<u8>, unsigned: &[u8]) {
        let json = self.json();
        out.extend_from_slice(json.strip_suffix(b"}").unwrap_or(&json));
        // Only the first two room versions have it in the event.
        if field(&json, "event_id").is_none() {
            out.extend_from_slice(b",\"event_id\":\"");
            out.extend_from_slice(self.event_id.of(&self.bytes));
            out.push(b'"');
        }
        if !unsigned.is_empty() {
            out.extend_from_slice(b",\"unsigned\":");
            out.extend_from_slice(unsigned);
        }
        out.push(b'}');
    }

    fn write_sender_key_type(&self, out: &mut Vec<u8>) {
        let bytes = &*self.bytes;
        out.extend_from_slice(b",\"sender\":\"");
        out.extend_from_slice(self.sender.raw.of(bytes));
        if self.flags & HAS_STATE_KEY != 0 {
            out.extend_from_slice(b"\",\"state_key\":\"");
            out.extend_from_slice(self.state_key.raw.of(bytes));
        }
        out.extend_from_slice(b"\",\"type\":\"");
        out.extend_from_slice(self.kind.raw.of(bytes));
        out.push(b'"');
    }

    /// Up to room version 10 the target of a redaction stands at the top level; new clients look
    /// for it in the content.
    fn write_content_with_redacts(&self, out: &mut Vec<u8>) {
        let content = self.content.of(&self.bytes);
        out.push(b'{');
        for (key, value) in Fields::of(content).filter(|(key, _)| *key != b"redacts") {
            push_entry(out, key, value.of(content));
        }
        push_entry(out, b"redacts", b"\"");
        out.extend_from_slice(self.redacts.of(&self.bytes));
        out.extend_from_slice(b"\"}");
    }
}
