//! `event_fields` of a filter: which parts of an event are sent. Client-server API, "Filtering".

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Steps of a path; what lies below the last is sent whole, which the specification allows.
const MAX_DEPTH: usize = 32;

/// The parts that a client asks for, as a tree of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFields(BTreeMap<String, EventFields>);

impl EventFields {
    /// The parts at these dotted `paths`; a backslash before a dot, or before another, makes it part of a name.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut root = Self::default();
        for path in paths {
            let mut at = &mut root;
            let mut steps = steps(path);
            steps.truncate(MAX_DEPTH);
            let last = steps.pop();
            let mut whole = false;
            for step in steps {
                // A path through something that is asked for as a whole adds nothing.
                whole |= at.0.get(&step).is_some_and(|below| below.0.is_empty());
                at = at.0.entry(step).or_default();
            }
            if let Some(last) = last.filter(|_| !whole) {
                at.0.insert(last, Self::default());
            }
        }
        root
    }

    /// The parts of `event`, a JSON object, that are asked for.
    pub fn pick(&self, event: &[u8]) -> Vec<u8> {
        match serde_json::from_slice::<Map<String, Value>>(event) {
            Ok(event) => Value::Object(self.of(event)).to_string().into_bytes(),
            Err(_) => event.to_vec(),
        }
    }

    fn of(&self, object: Map<String, Value>) -> Map<String, Value> {
        let picked = object.into_iter().filter_map(|(key, value)| {
            let below = self.0.get(&key)?;
            match value {
                value if below.0.is_empty() => Some((key, value)),
                Value::Object(inner) => Some((key, Value::Object(below.of(inner)))),
                // Nothing is below.
                _ => None,
            }
        });
        picked.collect()
    }
}

fn steps(path: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    let mut chars = path.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next_if(|next| matches!(next, '.' | '\\')) } else { None };
        match (c, steps.last_mut()) {
            ('.', _) => steps.push(String::new()),
            (c, Some(step)) => step.push(escaped.unwrap_or(c)),
            (_, None) => {}
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn picked(paths: &[&str]) -> Value {
        let event = json!({
            "type": "m.room.message",
            "content": { "body": "hi", "a.b": { "c": 1, "d": 2 }, "back\\slash": 3, "list": [1] },
            "unsigned": { "age": 4 },
        });
        let bytes = EventFields::new(paths.iter().copied()).pick(event.to_string().as_bytes());
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_path_picks_a_part_and_a_dot_can_be_escaped() {
        assert_eq!(picked(&["type"]), json!({ "type": "m.room.message" }));
        assert_eq!(
            picked(&["content.body", "unsigned"]),
            json!({ "content": { "body": "hi" }, "unsigned": { "age": 4 } })
        );
        assert_eq!(picked(&["content.a\\.b.c"]), json!({ "content": { "a.b": { "c": 1 } } }));
        assert_eq!(picked(&["content.back\\\\slash"]), json!({ "content": { "back\\slash": 3 } }));
        assert_eq!(picked(&["content.back\\slash"]), json!({ "content": { "back\\slash": 3 } }), "escapes nothing");
        assert_eq!(picked(&["content.list.0", "content.none", "type.more"]), json!({ "content": {} }));
        assert_eq!(picked(&[]), json!({}));
    }

    #[test]
    fn the_whole_of_something_includes_its_parts() {
        let whole = picked(&["content"]);
        assert_eq!(picked(&["content", "content.body"]), whole);
        assert_eq!(picked(&["content.body", "content"]), whole);
    }

    #[test]
    fn a_very_deep_path_is_cut_off() {
        let deep = "a.".repeat(100_000);
        let mut fields = &EventFields::new([deep.as_str()]);
        let mut depth = 0;
        while let Some(below) = fields.0.get("a") {
            (fields, depth) = (below, depth + 1);
        }
        assert_eq!(depth, MAX_DEPTH);
    }
}
