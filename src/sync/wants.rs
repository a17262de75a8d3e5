use event::ClientFormat;
use room::filter::EventFilter;
use ruma::{
    OwnedRoomId, RoomId,
    api::client::filter::{EventFormat, Filter, FilterDefinition, RoomEventFilter},
};

use crate::fields::EventFields;

/// Timeline events of a room when the filter does not say.
const DEFAULT_LIMIT: usize = 10;
/// Most timeline events of a room: an account may be in thousands of them.
const MAX_LIMIT: usize = 100;

/// What a client wants to be sent: its filter, made ready once.
#[derive(Debug, Clone)]
pub struct Wants {
    /// Timeline events.
    pub timeline: EventFilter,
    /// State events.
    pub state: EventFilter,
    /// Typing and receipts.
    pub ephemeral: EventFilter,
    /// Room account data.
    pub room_data: EventFilter,
    /// Global account data.
    pub global_data: EventFilter,
    /// Presence.
    pub presence: EventFilter,
    /// Rooms that were left, without a token.
    pub left_rooms: bool,
    /// Unread counts of each thread by itself.
    pub thread_counts: bool,
    /// How room events are written.
    pub format: ClientFormat,
    /// Which parts of room events; `None` for all.
    pub(crate) fields: Option<EventFields>,
    rooms: Option<Vec<OwnedRoomId>>,
    not_rooms: Vec<OwnedRoomId>,
}

impl Default for Wants {
    fn default() -> Self {
        Self::new(&FilterDefinition::default())
    }
}

impl Wants {
    /// What `filter` asks for.
    pub fn new(filter: &FilterDefinition) -> Self {
        let room = &filter.room;
        Self {
            timeline: EventFilter::new(&room.timeline),
            state: EventFilter::new(&room.state),
            ephemeral: EventFilter::new(&room.ephemeral),
            room_data: EventFilter::new(&room.account_data),
            global_data: by_type(&filter.account_data),
            presence: by_type(&filter.presence),
            left_rooms: room.include_leave,
            thread_counts: room.timeline.unread_thread_notifications,
            format: match filter.event_format {
                EventFormat::Federation => ClientFormat::Federation,
                _ => ClientFormat::Sync,
            },
            fields: filter.event_fields.as_ref().map(|paths| EventFields::new(paths.iter().map(String::as_str))),
            rooms: room.rooms.clone(),
            not_rooms: room.not_rooms.clone(),
        }
    }

    /// How many timeline events of a room.
    pub fn limit(&self) -> usize {
        self.timeline.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT)
    }

    /// Whether anything of this room is wanted.
    pub fn room(&self, room: &RoomId) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.iter().any(|id| id == room))
            && !self.not_rooms.iter().any(|id| id == room)
    }
}

fn by_type(filter: &Filter) -> EventFilter {
    let mut events = RoomEventFilter::default();
    events.types.clone_from(&filter.types);
    events.not_types.clone_from(&filter.not_types);
    events.senders.clone_from(&filter.senders);
    events.not_senders.clone_from(&filter.not_senders);
    EventFilter::new(&events)
}
