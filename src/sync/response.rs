//! The parts of a `/sync` response and how they are written.

use kv::Positions;
use push::Unread;

use crate::{
    StateAfter,
    json::{self, Object},
};

/// Who a room consists of, for rooms without a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Up to five other members, by whom a room without a name is called; `None` for one with a name.
    pub heroes: Option<Vec<String>>,
    /// Joined members.
    pub joined: u64,
    /// Invited members.
    pub invited: u64,
}

/// A room in `rooms.join` or `rooms.leave`.
#[derive(Debug, Default)]
pub struct RoomPart {
    /// Timeline events, oldest first.
    pub timeline: Vec<Vec<u8>>,
    /// Whether events before them were left out.
    pub limited: bool,
    /// Where to read on backwards.
    pub prev_batch: Option<String>,
    /// State events.
    pub state: Vec<Vec<u8>>,
    /// Whether `state` is the state after the timeline rather than before it, and how it is called then.
    pub state_after: Option<StateAfter>,
    /// Typing and receipts.
    pub ephemeral: Vec<Vec<u8>>,
    /// Room account data.
    pub account_data: Vec<Vec<u8>>,
    /// Present when memberships changed.
    pub summary: Option<Summary>,
    /// Present when the counts may have changed.
    pub unread: Option<Unread>,
    /// By thread root, when the filter asks for it.
    pub unread_threads: Vec<(String, Unread)>,
    /// Whether the room is to be listed even without news in it.
    pub listed: bool,
}

impl RoomPart {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        !self.listed
            && self.timeline.is_empty()
            && self.state.is_empty()
            && self.ephemeral.is_empty()
            && self.account_data.is_empty()
            && self.summary.is_none()
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut room = Object::open(out);
        let mut timeline = Object::open(room.key("timeline"));
        json::array(timeline.key("events"), &self.timeline);
        timeline.raw("limited", if self.limited { b"true" } else { b"false" });
        if let Some(token) = &self.prev_batch {
            timeline.text("prev_batch", token);
        }
        timeline.close();
        let mut state = Object::open(room.key(self.state_after.map_or("state", StateAfter::key)));
        json::array(state.key("events"), &self.state);
        state.close();
        // Of a room that is new to the client there may be none, which is told.
        for (key, events) in [("ephemeral", &self.ephemeral), ("account_data", &self.account_data)] {
            if self.listed || !events.is_empty() {
                let mut section = Object::open(room.key(key));
                json::array(section.key("events"), events);
                section.close();
            }
        }
        if let Some(summary) = &self.summary {
            summary.write(room.key("summary"));
        }
        if let Some(unread) = self.unread {
            write_unread(unread, room.key("unread_notifications"));
        }
        if !self.unread_threads.is_empty() {
            let mut threads = Object::open(room.key("unread_thread_notifications"));
            for (root, unread) in &self.unread_threads {
                write_unread(*unread, threads.key(root));
            }
            threads.close();
        }
        room.close();
    }
}

fn write_unread(unread: Unread, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.number("notification_count", unread.notifications).number("highlight_count", unread.highlights);
    object.close();
}

impl Summary {
    fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        if let Some(heroes) = &self.heroes {
            json::strings(object.key("m.heroes"), heroes);
        }
        object.number("m.joined_member_count", self.joined).number("m.invited_member_count", self.invited);
        object.close();
    }
}

/// A whole response. Rooms are by id.
#[derive(Debug, Default)]
pub struct Response {
    /// Rooms the user is in.
    pub join: Vec<(String, RoomPart)>,
    /// Rooms the user left or was removed from.
    pub leave: Vec<(String, RoomPart)>,
    /// Stripped state of rooms the user is invited to.
    pub invite: Vec<(String, Vec<Vec<u8>>)>,
    /// Stripped state of rooms the user knocks on.
    pub knock: Vec<(String, Vec<Vec<u8>>)>,
    /// Global account data.
    pub account_data: Vec<Vec<u8>>,
    /// Presence of others.
    pub presence: Vec<Vec<u8>>,
    /// Messages to this device.
    pub to_device: Vec<Vec<u8>>,
    /// Up to where those are sent, if there are more.
    pub to_device_upto: Option<Positions>,
    /// Users whose devices changed.
    pub devices_changed: Vec<String>,
    /// Users with whom no room is shared any more.
    pub devices_left: Vec<String>,
    /// One-time keys of this device by algorithm.
    pub key_counts: Vec<(String, u64)>,
    /// Algorithms of which a fallback key is unused.
    pub unused_fallbacks: Vec<String>,
}

impl Response {
    /// Whether a long poll should go on waiting.
    pub fn is_empty(&self) -> bool {
        self.join.is_empty()
            && self.leave.is_empty()
            && self.invite.is_empty()
            && self.knock.is_empty()
            && self.account_data.is_empty()
            && self.presence.is_empty()
            && self.to_device.is_empty()
            && self.devices_changed.is_empty()
            && self.devices_left.is_empty()
    }

    /// The JSON body with this token.
    pub fn write(&self, next_batch: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(4096);
        let mut body = Object::open(&mut out);
        body.text("next_batch", next_batch);
        if !(self.join.is_empty() && self.leave.is_empty() && self.invite.is_empty() && self.knock.is_empty()) {
            self.write_rooms(body.key("rooms"));
        }
        body.events("account_data", &self.account_data);
        body.events("presence", &self.presence);
        body.events("to_device", &self.to_device);
        self.write_keys(&mut body);
        body.close();
        out
    }

    fn write_rooms(&self, out: &mut Vec<u8>) {
        let mut rooms = Object::open(out);
        for (section, parts) in [("join", &self.join), ("leave", &self.leave)] {
            let mut object = Object::open(rooms.key(section));
            parts.iter().for_each(|(id, part)| part.write(object.key(id)));
            object.close();
        }
        for (section, state, parts) in [("invite", "invite_state", &self.invite), ("knock", "knock_state", &self.knock)]
        {
            let mut object = Object::open(rooms.key(section));
            for (id, events) in parts {
                let mut room = Object::open(object.key(id));
                let mut stripped = Object::open(room.key(state));
                json::array(stripped.key("events"), events);
                stripped.close();
                room.close();
            }
            object.close();
        }
        rooms.close();
    }

    /// The counts and fallback types are there even when empty: clients take absence for "no change".
    fn write_keys(&self, body: &mut Object<'_>) {
        if !self.devices_changed.is_empty() || !self.devices_left.is_empty() {
            let mut lists = Object::open(body.key("device_lists"));
            json::strings(lists.key("changed"), &self.devices_changed);
            json::strings(lists.key("left"), &self.devices_left);
            lists.close();
        }
        let mut counts = Object::open(body.key("device_one_time_keys_count"));
        for (algorithm, count) in &self.key_counts {
            counts.number(algorithm, *count);
        }
        counts.close();
        json::strings(body.key("device_unused_fallback_key_types"), &self.unused_fallbacks);
    }
}
