//! What was found, as the caller may see it.

use std::collections::{BTreeMap, BTreeSet};

use event::ClientFormat;
use room::{Access, Direction, EventFilter, EventNum, EventRow, HistoryQuery, RoomNum, Rooms, TimelineToken};
use ruma::{
    RoomId, UserId,
    api::client::search::search_events::v3::{Criteria, EventContext, GroupingKey},
};
use search::{Hit, Mark};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    MatrixError,
    client::{reader::Reader, written::array},
};

/// Most events before or after one that was found.
const MAX_AROUND: usize = 50;

/// How much is wanted around each event.
#[derive(Debug, Clone, Copy)]
pub struct Around {
    before: usize,
    after: usize,
    profiles: bool,
}

#[derive(Deserialize)]
struct Body {
    search_categories: Categories,
}

#[derive(Deserialize)]
struct Categories {
    room_events: Events,
}

#[derive(Deserialize)]
struct Events {
    event_context: Option<Value>,
}

impl Around {
    /// What the request asks for; nothing if it does not say: ruma's type does not tell that from the defaults.
    pub fn of(context: &EventContext, body: &[u8]) -> Option<Self> {
        let body: Body = serde_json::from_slice(body).ok()?;
        body.search_categories.room_events.event_context?;
        let limit = |limit| usize::try_from(u64::from(limit)).unwrap_or(MAX_AROUND).min(MAX_AROUND);
        Some(Self {
            before: limit(context.before_limit),
            after: limit(context.after_limit),
            profiles: context.include_profile,
        })
    }
}

/// One page of what was found.
pub struct Answer {
    rooms: Rooms,
    reader: Reader,
    filter: EventFilter,
    /// What the caller may see of all that was found.
    count: usize,
    page: Vec<(Hit, EventRow)>,
}

impl Answer {
    /// Nothing yet.
    pub fn new(rooms: Rooms, reader: Reader, filter: EventFilter) -> Self {
        Self { rooms, reader, filter, count: 0, page: Vec::new() }
    }

    /// Keeps what the caller may see and wants: counts all of it, and has at most `limit` beyond `after` in the page.
    pub async fn take(&mut self, hits: &[Hit], after: Option<Mark>, limit: usize) -> Result<(), MatrixError> {
        let mut by_room: BTreeMap<RoomNum, Vec<Hit>> = BTreeMap::new();
        for hit in hits {
            by_room.entry(hit.room).or_default().push(*hit);
        }
        let view = self.rooms.db().view();
        let mut seen = Vec::new();
        for (room, hits) in by_room {
            let rows = self.rooms.rows(&view, room, hits.iter().map(|hit| hit.num)).await?;
            let rows = rows.into_iter().filter(|(_, row)| row.meta.redacted_by.is_none()).collect();
            let rows = self.rooms.filtered(&view, room, &self.filter, rows).await?;
            let rows = self.rooms.visible(&view, room, &self.reader.viewer(), rows).await?;
            let rows: BTreeMap<EventNum, EventRow> = rows.into_iter().collect();
            seen.extend(hits.into_iter().filter_map(|hit| Some((hit, rows.get(&hit.num)?.clone()))));
        }
        seen.sort_by_key(|(hit, _)| std::cmp::Reverse(hit.mark));
        self.count = seen.len();
        seen.retain(|(hit, _)| after.is_none_or(|after| hit.mark < after));
        seen.truncate(limit);
        self.page = seen;
        Ok(())
    }

    /// The answer's `search_categories`.
    pub async fn write(
        &self,
        user: &UserId,
        words: &[String],
        criteria: &Criteria,
        around: Option<Around>,
    ) -> Result<Vec<u8>, MatrixError> {
        let mut results = Vec::with_capacity(self.page.len());
        for (hit, row) in &self.page {
            results.push(self.result(user, hit, row, around).await?);
        }
        // After the last page comes an empty one: clients, and Complement's TestSearch, expect a token with each result.
        let next = self.page.last().map(|(hit, _)| hit.mark.to_string());
        let mut found = json!({ "count": self.count, "results": results, "highlights": words });
        if let Some(found) = found.as_object_mut() {
            if let Some(next) = next {
                found.insert("next_batch".into(), next.into());
            }
            if !criteria.groupings.group_by.is_empty() {
                found.insert("groups".into(), self.groups(criteria));
            }
            if criteria.include_state == Some(true) {
                found.insert("state".into(), self.state(user).await?);
            }
        }
        serde_json::to_vec(&json!({ "room_events": found })).map_err(|error| MatrixError::internal(&error))
    }

    async fn result(
        &self,
        user: &UserId,
        hit: &Hit,
        row: &EventRow,
        around: Option<Around>,
    ) -> Result<Value, MatrixError> {
        let events = self.shown(hit.room, &[(hit.num, row.clone())]).await?;
        let mut result = json!({ "rank": hit.rank, "result": first(events) });
        if let (Some(around), Some(result)) = (around, result.as_object_mut()) {
            result.insert("context".into(), self.context(user, hit.room, row, around).await?);
        }
        Ok(result)
    }

    async fn context(
        &self,
        user: &UserId,
        room: RoomNum,
        row: &EventRow,
        around: Around,
    ) -> Result<Value, MatrixError> {
        let view = self.rooms.db().view();
        let id = &self.rooms.info(&view, room).await?.id;
        let access = self.rooms.access(&view, user, id).await?;
        let Some(place) = row.meta.place else { return Ok(json!({})) };
        let all = EventFilter::default();
        let mut sides = Vec::with_capacity(2);
        for (direction, limit) in [(Direction::Backward, around.before), (Direction::Forward, around.after)] {
            let from = match direction {
                Direction::Backward => TimelineToken::before(place),
                Direction::Forward => TimelineToken::after(place),
            };
            let query = HistoryQuery { from: Some(from), to: None, direction, limit, filter: &all };
            let page = self.rooms.history(&view, &access, &self.reader.viewer(), &query).await?;
            let end = page.end.unwrap_or(from).to_string();
            sides.push((self.shown(room, &page.rows).await?, end, page.rows));
        }
        let mut rows = vec![row.clone()];
        let mut context = Map::new();
        for ((key, point), (events, end, side)) in
            [("events_before", "start"), ("events_after", "end")].iter().zip(sides)
        {
            context.insert((*key).to_owned(), events);
            context.insert((*point).to_owned(), end.into());
            rows.extend(side.into_iter().map(|(_, row)| row));
        }
        if around.profiles {
            context.insert("profile_info".into(), self.profiles(&access, &rows).await?);
        }
        Ok(Value::Object(context))
    }

    /// Names and pictures of those who sent `rows`.
    async fn profiles(&self, access: &Access, rows: &[EventRow]) -> Result<Value, MatrixError> {
        let view = self.rooms.db().view();
        let senders: BTreeSet<_> = rows.iter().map(|row| row.event.sender()).collect();
        let mut profiles = Map::new();
        for sender in senders {
            let member = self.rooms.state_event(&view, access.room, access.state, "m.room.member", sender).await?;
            let content: Map<String, Value> =
                member.and_then(|member| serde_json::from_str(member.content.get()).ok()).unwrap_or_default();
            let shown = |key: &str| content.get(key).filter(|value| value.is_string()).cloned();
            let fields = ["displayname", "avatar_url"].iter().filter_map(|key| Some(((*key).to_owned(), shown(key)?)));
            profiles.insert(sender.to_owned(), Value::Object(fields.collect()));
        }
        Ok(Value::Object(profiles))
    }

    /// The page's events by room and by sender, as far as that is wanted.
    fn groups(&self, criteria: &Criteria) -> Value {
        let mut groups = Map::new();
        for group in &criteria.groupings.group_by {
            let (name, key): (_, fn(&EventRow) -> &str) = match &group.key {
                Some(GroupingKey::RoomId) => ("room_id", |row| row.event.room_id()),
                Some(GroupingKey::Sender) => ("sender", |row| row.event.sender()),
                _ => continue,
            };
            let mut members: BTreeMap<&str, (usize, Vec<&str>)> = BTreeMap::new();
            for (order, (_, row)) in self.page.iter().enumerate() {
                members.entry(key(row)).or_insert((order, Vec::new())).1.push(row.event.event_id());
            }
            let members = members.into_iter();
            let members =
                members.map(|(key, (order, events))| (key.to_owned(), json!({ "order": order, "results": events })));
            groups.insert(name.to_owned(), Value::Object(members.collect()));
        }
        Value::Object(groups)
    }

    /// The state of the page's rooms, as the caller may see it.
    async fn state(&self, user: &UserId) -> Result<Value, MatrixError> {
        let view = self.rooms.db().view();
        let rooms: BTreeSet<_> = self.page.iter().map(|(_, row)| row.event.room_id()).collect();
        let mut states = Map::new();
        for id in rooms {
            let Ok(room) = <&RoomId>::try_from(id) else { continue };
            let access = self.rooms.access(&view, user, room).await?;
            let rows = self.rooms.state_rows(&view, access.room, access.state, None).await?;
            let mut out = Vec::new();
            self.rooms.write_plain(&self.reader.viewer(), &rows, ClientFormat::Full, &mut out);
            states.insert(id.to_owned(), serde_json::from_slice(&out).unwrap_or_default());
        }
        Ok(Value::Object(states))
    }

    /// Events as clients get them, as a JSON array.
    async fn shown(&self, room: RoomNum, rows: &[(EventNum, EventRow)]) -> Result<Value, MatrixError> {
        let view = self.rooms.db().view();
        let events = self.rooms.present(&view, room, &self.reader.viewer(), rows, ClientFormat::Full, true).await?;
        serde_json::from_slice(&array(&events)).map_err(|error| MatrixError::internal(&error))
    }
}

fn first(events: Value) -> Value {
    match events {
        Value::Array(mut events) if !events.is_empty() => events.swap_remove(0),
        _ => Value::Null,
    }
}
