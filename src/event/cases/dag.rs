//! Random rooms with forks and merges.

use proptest::prelude::*;
use ruma::OwnedEventId;
use serde_json::json;

use super::rooms::{TestRoom, user};

pub(crate) const NAMES: [&str; 5] = ["alice", "mia", "bob", "carol.other.test", "dora.far.test"];

/// One attempt to send something somewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    who: usize,
    whom: usize,
    what: u8,
    value: u8,
    /// Which of the latest events it comes after.
    parent: usize,
    other_parent: Option<usize>,
    tick: bool,
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        0..NAMES.len(),
        0..NAMES.len(),
        any::<u8>(),
        any::<u8>(),
        0..6_usize,
        prop::option::weighted(0.25, 0..6_usize),
        any::<bool>(),
    )
        .prop_map(|(who, whom, what, value, parent, other_parent, tick)| Step {
            who,
            whom,
            what,
            value,
            parent,
            other_parent,
            tick,
        });
    prop::collection::vec(step, 5..35)
}

/// Plays the steps; those that authorization refuses do not happen. Gives all events in order.
pub(crate) fn play(room: &mut TestRoom, tip: OwnedEventId, steps: &[Step]) -> Vec<OwnedEventId> {
    let mut order = vec![tip];
    for step in steps {
        let nth = |back: usize| order[order.len().saturating_sub(1 + back)].clone();
        let mut prev = vec![nth(step.parent)];
        if let Some(other) = step.other_parent.map(nth).filter(|other| *other != prev[0]) {
            prev.push(other);
        }
        if step.tick {
            room.clock += 1;
        }
        let (who, whom) = (NAMES[step.who], user(NAMES[step.whom]));
        let (kind, key, content) = match step.what % 12 {
            0 | 1 => ("m.room.topic", String::new(), json!({ "topic": step.value })),
            2 | 3 => ("m.room.member", user(who).to_string(), json!({ "membership": "join", "n": step.value })),
            4 => ("m.room.member", user(who).to_string(), json!({ "membership": "leave" })),
            5 => ("m.room.member", whom.to_string(), json!({ "membership": "leave" })),
            6 => ("m.room.member", whom.to_string(), json!({ "membership": "ban" })),
            7 => ("m.room.member", whom.to_string(), json!({ "membership": "invite" })),
            8 | 9 => {
                let mut users = json!({ whom: step.value % 101, user(who): 50 + step.value % 51 });
                if room.rules.authorization.explicitly_privilege_room_creators {
                    users.as_object_mut().unwrap().remove("@alice:hearth.test");
                } else {
                    users["@alice:hearth.test"] = json!(100);
                }
                (
                    "m.room.power_levels",
                    String::new(),
                    json!({ "users": users, "events": { "m.room.topic": step.value % 60 } }),
                )
            }
            10 => {
                let rule = if step.value.is_multiple_of(2) { "public" } else { "invite" };
                ("m.room.join_rules", String::new(), json!({ "join_rule": rule }))
            }
            _ => ("m.room.name", String::new(), json!({ "name": step.value })),
        };
        let pdu = room.build(&prev, who, kind, Some(&key), &content);
        if !room.events.contains_key(&pdu.event_id) && room.check(&pdu).is_ok() {
            order.push(room.add(pdu));
        }
    }
    order
}
