//! The tables of this crate.

use kv::{Stamp, Stamped, Table, TableInfo};
use ruma::{OwnedDeviceId, OwnedEventId, OwnedRoomId, OwnedServerName, OwnedUserId};

use crate::{
    chain::AuthEdges,
    delayed::Delayed,
    ingest::Gap,
    num::{EventNum, Place, RoomNum},
    relations::{Child, InThread, Thread, Waits},
    report::Report,
    row::{EventRow, RoomInfo, Tip, UserRoom},
    state::Root,
};

/// Number by room id.
pub const ROOM_IDS: Table<OwnedRoomId, RoomNum> = Table::new(0x0300, "room.ids", 1);
/// What never changes about a room.
pub const ROOMS: Table<RoomNum, RoomInfo> = Table::new(0x0301, "room.rooms", 1);
/// Where a room stands.
pub const TIPS: Table<RoomNum, Tip> = Table::new(0x0302, "room.tips", 1);
/// Room and number by event id.
pub const EVENT_IDS: Table<OwnedEventId, EventRef> = Table::new(0x0303, "room.event_ids", 1);
/// Events; rewritten only by a redaction or when an outlier gets its place.
pub const EVENTS: Table<(RoomNum, EventNum), EventRow> = Table::new(0x0304, "room.events", 1);
/// Shown events in timeline order.
pub const TIMELINE: Table<(RoomNum, Place), EventNum> = Table::new(0x0305, "room.timeline", 1);
/// Shown events in stream order, over all rooms.
pub const STREAM: Table<Stamp, EventRef> = Table::new(0x0306, "room.stream", 1);
/// Shown events of a room in stream order.
pub const ROOM_STREAM: Table<(RoomNum, Stamp), EventNum> = Table::new(0x0307, "room.room_stream", 1);
/// Nodes of state trees by their hash.
pub const STATE_NODES: Table<(RoomNum, Root), bytes::Bytes> = Table::new(0x0308, "room.state_nodes", 1);
/// The state that a room had when an event came, where that is not the state before the event.
pub const FORKED: Table<(RoomNum, EventNum), Root> = Table::new(0x0312, "room.forked", 1);
/// Number of an event type in its room.
pub const STATE_TYPES: Table<(RoomNum, String), u32> = Table::new(0x0309, "room.state_types", 1);
/// Number of a state key under its type.
pub const STATE_KEYS: Table<(RoomNum, u32, String), u32> = Table::new(0x030A, "room.state_keys", 1);
/// The next number of a state key under this type; type 0 counts the types.
pub const STATE_NEXT: Table<(RoomNum, u32), u32> = Table::new(0x030B, "room.state_next", 1);
/// Member events by room, membership code and user.
pub const MEMBERS: Table<(RoomNum, u8, OwnedUserId), EventNum> = Table::new(0x030C, "room.members", 1);
/// A user's part in each of their rooms, with the position at which the membership last changed.
pub const USER_ROOMS: Table<(OwnedUserId, RoomNum), Stamped<UserRoom>> = Table::new(0x030D, "room.user_rooms", 1);
/// Rooms in which a user's membership changed, in stream order.
pub const USER_CHANGES: Table<(OwnedUserId, Stamp), RoomNum> = Table::new(0x030E, "room.user_changes", 1);
/// Events sent by the period in which they were (see [`crate::Rooms::sweep_sent`]), user, device and scope of the
/// transaction id.
pub const SENT: Table<(u32, OwnedUserId, OwnedDeviceId, String), OwnedEventId> = Table::new(0x0311, "room.sent", 1);
/// As [`SENT`] without period, as databases from before it have it.
pub const TRANSACTIONS: Table<(OwnedUserId, OwnedDeviceId, String), OwnedEventId> =
    Table::new(0x030F, "room.transactions", 1);
/// The next room number to lease.
pub const LEASES: Table<(), u64> = Table::new(0x0310, "room.leases", 1);

/// Redactions that did not take effect: their target is unknown, or their sender may not redact it.
pub const HELD: Table<(RoomNum, EventNum), ()> = Table::new(0x0340, "room.held_redactions", 1);
/// Events that refer to another one, by relation class, that one's number and their own place.
pub const CHILDREN: Table<(RoomNum, u8, EventNum, Place), Child> = Table::new(0x0341, "room.children", 1);
/// The newest valid edit of an event.
pub const EDITS: Table<(RoomNum, EventNum), EventNum> = Table::new(0x0342, "room.edits", 1);
/// Annotations by what they annotate, who sent them and the hash of type and key.
pub const ANNOTATIONS: Table<(RoomNum, EventNum, OwnedUserId, [u8; 16]), EventNum> =
    Table::new(0x0343, "room.annotations", 1);
/// Threads by their root.
pub const THREADS: Table<(RoomNum, EventNum), Thread> = Table::new(0x0344, "room.threads", 1);
/// Threads by the place of their newest event, then their root.
pub const THREAD_LIST: Table<(RoomNum, Place, EventNum), ()> = Table::new(0x0345, "room.thread_list", 1);
/// How many events of a thread each user sent.
pub const THREAD_USERS: Table<(RoomNum, EventNum, OwnedUserId), u64> = Table::new(0x0346, "room.thread_users", 1);
/// The thread that an event is in; stays when the event is redacted.
pub const THREAD_OF: Table<(RoomNum, EventNum), InThread> = Table::new(0x0347, "room.thread_of", 1);
/// Events by the id of one that they refer to and that is not known yet.
pub const WAITING: Table<(RoomNum, OwnedEventId, EventNum), Waits> = Table::new(0x0348, "room.waiting", 1);
/// What users reported, in stream order.
pub const REPORTS: Table<Stamp, Report> = Table::new(0x0349, "room.reports", 1);

/// Events that are sent later, by their id.
pub const DELAYED: Table<String, Delayed> = Table::new(0x0350, "room.delayed", 1);
/// Those of a user that wait.
pub const DELAYED_OF: Table<(OwnedUserId, String), ()> = Table::new(0x0351, "room.delayed_of", 1);
/// When something has to be done about them.
pub const DELAYED_DUE: Table<(u64, String), ()> = Table::new(0x0352, "room.delayed_due", 1);
/// Their ids by (user, device, scope of the transaction id).
pub const DELAYED_TXNS: Table<(OwnedUserId, OwnedDeviceId, String), String> =
    Table::new(0x0353, "room.delayed_txns", 1);

/// Stripped state of rooms that this server is not in, as their servers sent it with an invite or answered a
/// knock: JSON objects by user and room.
pub const INVITE_STATES: Table<(OwnedUserId, RoomNum), Vec<String>> = Table::new(0x0330, "room.invite_states", 1);

/// How many joined members each server has in a room.
pub const ROOM_SERVERS: Table<(RoomNum, OwnedServerName), u64> = Table::new(0x0331, "room.room_servers", 1);
/// The rooms in which a server has joined members.
pub const SERVER_ROOMS: Table<(OwnedServerName, RoomNum), ()> = Table::new(0x0332, "room.server_rooms", 1);
/// Servers that came into a room (`true`) or left it, in stream order; the federation queue takes rows away as it
/// has walked past them.
pub const SERVER_LOG: Table<(Stamp, RoomNum, OwnedServerName), bool> = Table::new(0x0333, "room.server_log", 1);
/// Events of other servers that this one passes on to the rest of the room, with the server that sent them here.
pub const RELAYS: Table<(RoomNum, EventNum), String> = Table::new(0x0334, "room.relays", 1);
/// Member events of local users in rooms that this server is not in, in stream order: what the stream of all rooms
/// does not have.
pub const OUTSIDE_LOG: Table<Stamp, EventRef> = Table::new(0x033F, "room.outside_log", 1);
/// What is missing before a part of the timeline, by the part's rank.
pub const GAPS: Table<(RoomNum, u64), Gap> = Table::new(0x0335, "room.gaps", 1);
/// Events that are not here although one that is here follows them, with the rank of that one.
pub const AWAITED: Table<(RoomNum, OwnedEventId), u64> = Table::new(0x0336, "room.awaited", 1);

/// Which events allow a state event. Decision 10.
pub const AUTH: Table<(RoomNum, EventNum), AuthEdges> = Table::new(0x0337, "room.auth", 1);
/// State events that were here before some event that allows them, or one below that.
pub const AUTH_LATE: Table<(RoomNum, EventNum), ()> = Table::new(0x0338, "room.auth_late", 1);
/// Rooms whose state events have their rows in [`AUTH`]; number 0 says so of all rooms.
pub const AUTH_READY: Table<RoomNum, ()> = Table::new(0x0339, "room.auth_ready", 1);

/// An event wherever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EventRef {
    /// Its room.
    pub room: RoomNum,
    /// Its number there.
    pub num: EventNum,
}
kv::value!(EventRef);

/// Users whose events newcomers do not see.
pub const ERASED: Table<OwnedUserId, ()> = Table::new(0x0358, "room.erased", 1);

/// For the schema check.
pub const ALL: &[TableInfo] = &[
    ERASED.info(),
    ROOM_IDS.info(),
    ROOMS.info(),
    TIPS.info(),
    EVENT_IDS.info(),
    EVENTS.info(),
    TIMELINE.info(),
    STREAM.info(),
    ROOM_STREAM.info(),
    STATE_NODES.info(),
    STATE_TYPES.info(),
    STATE_KEYS.info(),
    STATE_NEXT.info(),
    MEMBERS.info(),
    USER_ROOMS.info(),
    USER_CHANGES.info(),
    SENT.info(),
    FORKED.info(),
    TRANSACTIONS.info(),
    LEASES.info(),
    INVITE_STATES.info(),
    ROOM_SERVERS.info(),
    SERVER_ROOMS.info(),
    SERVER_LOG.info(),
    RELAYS.info(),
    OUTSIDE_LOG.info(),
    GAPS.info(),
    AWAITED.info(),
    AUTH.info(),
    AUTH_LATE.info(),
    AUTH_READY.info(),
    HELD.info(),
    CHILDREN.info(),
    EDITS.info(),
    ANNOTATIONS.info(),
    THREADS.info(),
    THREAD_LIST.info(),
    THREAD_USERS.info(),
    THREAD_OF.info(),
    WAITING.info(),
    REPORTS.info(),
    DELAYED.info(),
    DELAYED_OF.info(),
    DELAYED_DUE.info(),
    DELAYED_TXNS.info(),
    crate::directory::ALIASES.info(),
    crate::directory::ROOM_ALIASES.info(),
    crate::directory::PUBLISHED.info(),
    crate::directory::PUBLISHED_ON.info(),
];
