//! Answers that are put together from events that are JSON already.

use serde::Serialize;

use crate::RawReply;

/// A JSON object while it is written.
#[derive(Debug, Default)]
pub struct Written(Vec<u8>);

impl Written {
    /// Adds events under `key`.
    #[must_use]
    pub fn events(mut self, key: &str, events: &[impl AsRef<[u8]>]) -> Self {
        self.key(key);
        self.0.extend_from_slice(&array(events));
        self
    }

    /// Adds what `write` appends under `key`.
    #[must_use]
    pub fn with(mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.key(key);
        write(&mut self.0);
        self
    }

    /// Adds a JSON value under `key`.
    #[must_use]
    pub fn event(mut self, key: &str, json: &[u8]) -> Self {
        self.key(key);
        self.0.extend_from_slice(json);
        self
    }

    /// Adds text or a number under `key`, unless there is none.
    #[must_use]
    pub fn value(mut self, key: &str, value: Option<impl Serialize>) -> Self {
        if let Some(json) = value.and_then(|value| serde_json::to_vec(&value).ok()) {
            self.key(key);
            self.0.extend_from_slice(&json);
        }
        self
    }

    fn key(&mut self, key: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.0.push(b'"');
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }
}

impl From<Written> for RawReply {
    fn from(mut written: Written) -> Self {
        if written.0.is_empty() {
            written.0.push(b'{');
        }
        written.0.push(b'}');
        Self::from(written.0)
    }
}

/// The events as a JSON array.
pub fn array(events: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(events.iter().map(|event| event.as_ref().len() + 1).sum::<usize>() + 2);
    out.push(b'[');
    for (n, event) in events.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.extend_from_slice(event.as_ref());
    }
    out.push(b']');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_put_together() {
        let events = [b"{}".to_vec(), b"{\"a\":1}".to_vec()];
        let reply = RawReply::from(
            Written::default()
                .events("chunk", &events)
                .value("end", None::<&str>)
                .value("start", Some("t1"))
                .with("state", |out| out.extend_from_slice(b"[]"))
                .event("event", b"{}"),
        );
        assert_eq!(reply.0, r#"{"chunk":[{},{"a":1}],"start":"t1","state":[],"event":{}}"#);
        assert_eq!(RawReply::from(Written::default()).0, "{}");
        assert_eq!(array(&[[]]), b"[]");
    }
}
