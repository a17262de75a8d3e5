//! Writing JSON around bytes that are JSON already.

/// Appends a JSON object, member by member.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Opens an object.
    pub fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Begins a member; its value is to be appended to what this returns.
    pub fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        string(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// A member whose value is JSON already.
    pub fn raw(&mut self, key: &str, value: &[u8]) -> &mut Self {
        self.key(key).extend_from_slice(value);
        self
    }

    /// A member with a string.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        string(self.key(key), value);
        self
    }

    /// A member with a number.
    pub fn number(&mut self, key: &str, value: u64) -> &mut Self {
        self.key(key).extend_from_slice(value.to_string().as_bytes());
        self
    }

    /// A member `{"events": […]}`, left out when there are none.
    pub fn events(&mut self, key: &str, events: &[Vec<u8>]) -> &mut Self {
        if !events.is_empty() {
            let out = self.key(key);
            out.extend_from_slice(b"{\"events\":");
            array(out, events);
            out.push(b'}');
        }
        self
    }

    /// Closes the object.
    pub fn close(self) {
        self.out.push(b'}');
    }
}

/// Appends an array of values that are JSON already.
pub fn array(out: &mut Vec<u8>, items: &[Vec<u8>]) {
    out.push(b'[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(item);
    }
    out.push(b']');
}

/// Appends an array of strings.
pub fn strings(out: &mut Vec<u8>, items: &[String]) {
    out.push(b'[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        string(out, item);
    }
    out.push(b']');
}

/// Appends a JSON string.
pub fn string(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Strings always serialize.
        out.extend_from_slice(&serde_json::to_vec(text).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_separated_and_keys_escaped() {
        let mut out = Vec::new();
        let mut object = Object::open(&mut out);
        object.text("a\"b", "x\ny").number("n", 3).raw("r", b"[1]").events("none", &[]);
        object.events("some", &[b"{}".to_vec(), b"1".to_vec()]);
        object.close();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value, serde_json::json!({"a\"b": "x\ny", "n": 3, "r": [1], "some": {"events": [{}, 1]}}));
    }
}
