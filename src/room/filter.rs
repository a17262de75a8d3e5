//! Event filters of clients, made ready once and matched on stored bytes. Client-server API, "Filtering".

use std::collections::HashSet;

use event::StoredEvent;
use kv::Read;
use ruma::{
    OwnedRoomId, OwnedUserId, RoomId,
    api::client::filter::{LazyLoadOptions, RoomEventFilter, UrlFilter},
};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    EventRow, Result, Rooms,
    num::{EventNum, RoomNum},
    relations::Class,
    tables::CHILDREN,
};

/// Events that refer to one event and are looked at to see whether it passes.
const MAX_CHILDREN: usize = 1000;

/// Which events a client wants.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    types: Option<Vec<Pattern>>,
    not_types: Vec<Pattern>,
    senders: Option<HashSet<OwnedUserId>>,
    not_senders: HashSet<OwnedUserId>,
    rooms: Option<HashSet<OwnedRoomId>>,
    not_rooms: HashSet<OwnedRoomId>,
    contains_url: Option<bool>,
    related_by: RelatedBy,
    rel_types: RelTypes,
    /// At most so many events, if the client says.
    pub limit: Option<usize>,
    /// Whether only the members who sent something are wanted.
    pub lazy_members: bool,
    /// Whether members are wanted again who were sent before.
    pub redundant_members: bool,
}

/// Wants events that others refer to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RelatedBy {
    /// By one of these relations.
    pub related_by_rel_types: Option<Vec<String>>,
    /// In events of one of these senders.
    pub related_by_senders: Option<Vec<OwnedUserId>>,
}

/// Wants events by what they are to others. MSC3874.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RelTypes {
    /// One of these relations; none has events that refer to nothing.
    #[serde(rename = "org.matrix.msc3874.rel_types")]
    pub rel_types: Option<Vec<String>>,
    /// None of these relations.
    #[serde(rename = "org.matrix.msc3874.not_rel_types")]
    pub not_rel_types: Vec<String>,
}

impl RelTypes {
    fn admits(&self, content: &str) -> bool {
        if self.rel_types.is_none() && self.not_rel_types.is_empty() {
            return true;
        }
        let related = serde_json::from_str::<Related>(content).ok();
        match related.and_then(|content| content.relates_to?.rel_type) {
            Some(rel_type) => {
                self.rel_types.as_ref().is_none_or(|wanted| wanted.contains(&rel_type))
                    && !self.not_rel_types.contains(&rel_type)
            }
            None => self.rel_types.is_none(),
        }
    }
}

#[derive(Deserialize)]
struct Related {
    #[serde(rename = "m.relates_to")]
    relates_to: Option<Relation>,
}

#[derive(Deserialize)]
struct Relation {
    rel_type: Option<String>,
}

/// Text in which `*` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern(String);

impl Pattern {
    /// Takes time linear in the text: the parts are found one after the other, each as early as it can be.
    fn matches(&self, text: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == text };
        let Some(mut text) = text.strip_prefix(first) else { return false };
        let mut parts = rest.split('*').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return text.ends_with(part);
            }
            match text.find(part) {
                Some(at) => text = text.get(at + part.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        true
    }
}

fn patterns(types: &[String]) -> Vec<Pattern> {
    types.iter().cloned().map(Pattern).collect()
}

impl EventFilter {
    /// Makes a filter ready.
    pub fn new(filter: &RoomEventFilter) -> Self {
        let (lazy_members, redundant_members) = match filter.lazy_load_options {
            LazyLoadOptions::Enabled { include_redundant_members } => (true, include_redundant_members),
            LazyLoadOptions::Disabled => (false, false),
        };
        Self {
            types: filter.types.as_deref().map(patterns),
            not_types: patterns(&filter.not_types),
            senders: filter.senders.clone().map(HashSet::from_iter),
            not_senders: filter.not_senders.iter().cloned().collect(),
            rooms: filter.rooms.clone().map(HashSet::from_iter),
            not_rooms: filter.not_rooms.iter().cloned().collect(),
            contains_url: filter.url_filter.map(|url| url == UrlFilter::EventsWithUrl),
            related_by: RelatedBy::default(),
            rel_types: RelTypes::default(),
            limit: filter.limit.map(|limit| usize::try_from(u64::from(limit)).unwrap_or(usize::MAX)),
            lazy_members,
            redundant_members,
        }
    }

    /// Wants only what is referred to like this, besides.
    #[must_use]
    pub fn related_by(mut self, related_by: RelatedBy) -> Self {
        self.related_by = related_by;
        self
    }

    /// Wants only what is related to others like this, besides.
    #[must_use]
    pub fn rel_types(mut self, rel_types: RelTypes) -> Self {
        self.rel_types = rel_types;
        self
    }

    /// Whether events of this room may pass.
    pub fn admits_room(&self, room: &RoomId) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.contains(room)) && !self.not_rooms.contains(room)
    }

    /// Whether an event passes, as far as it alone says so: see [`Rooms::filtered`] for the rest.
    pub fn admits(&self, event: &StoredEvent) -> bool {
        self.admits_type(event.kind())
            && self.admits_room_of(event)
            && self.admits_sender(event.sender())
            && self.contains_url.is_none_or(|wanted| has_url(event.content()) == wanted)
            && self.rel_types.admits(event.content())
    }

    /// Whether events of this type may pass.
    pub fn admits_type(&self, kind: &str) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(kind));
        self.types.as_deref().is_none_or(any) && !any(&self.not_types)
    }

    fn admits_room_of(&self, event: &StoredEvent) -> bool {
        self.rooms.is_none() && self.not_rooms.is_empty()
            || <&RoomId>::try_from(event.room_id()).is_ok_and(|room| self.admits_room(room))
    }

    /// Whether events of this user may pass.
    pub fn admits_sender(&self, sender: &str) -> bool {
        if self.senders.is_none() && self.not_senders.is_empty() {
            return true;
        }
        let Ok(sender) = <&ruma::UserId>::try_from(sender) else { return false };
        self.senders.as_ref().is_none_or(|senders| senders.contains(sender)) && !self.not_senders.contains(sender)
    }
}

impl Rooms {
    /// The rows that pass the filter, in their order.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn filtered(
        &self,
        read: &impl Read,
        room: RoomNum,
        filter: &EventFilter,
        mut rows: Vec<(EventNum, EventRow)>,
    ) -> Result<Vec<(EventNum, EventRow)>> {
        rows.retain(|(_, row)| filter.admits(&row.event));
        if filter.related_by == RelatedBy::default() {
            return Ok(rows);
        }
        let mut passed = Vec::new();
        for (num, row) in rows {
            if self.is_related_by(read, room, num, &filter.related_by).await? {
                passed.push((num, row));
            }
        }
        Ok(passed)
    }

    async fn is_related_by(&self, read: &impl Read, room: RoomNum, num: EventNum, wanted: &RelatedBy) -> Result<bool> {
        let types = wanted.related_by_rel_types.as_deref();
        for class in Class::ALL {
            if types.is_some_and(|types| types.iter().all(|rel_type| Class::of(rel_type) != class)) {
                continue;
            }
            let range = CHILDREN.under(&(room, class.code(), num));
            for (_, child) in read.scan(&CHILDREN, range).by(64).first(MAX_CHILDREN).await? {
                let of_type = match (types, &child.rel_type) {
                    (Some(types), Some(other)) => types.contains(other),
                    _ => true,
                };
                if of_type && wanted.related_by_senders.as_ref().is_none_or(|users| users.contains(&child.sender)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

#[derive(Deserialize)]
struct WithUrl {
    url: Option<IgnoredAny>,
}

fn has_url(content: &str) -> bool {
    content.contains("\"url\"") && serde_json::from_str::<WithUrl>(content).is_ok_and(|content| content.url.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let cases = [
            ("m.room.*", "m.room.name", true),
            ("m.room.*", "m.roomname", false),
            ("*", "", true),
            ("*.name", "m.room.name", true),
            ("m.*.na*e", "m.room.name", true),
            ("m.*.na*x", "m.room.name", false),
            ("a*a", "a", false),
            ("m.room.name", "m.room.name", true),
            ("m.room.name", "m.room.names", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Pattern(pattern.into()).matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn events_pass_by_their_relation() {
        let thread = r#"{"m.relates_to":{"rel_type":"m.thread","event_id":"$a"}}"#;
        let types = |only: Option<&str>, not: &[&str]| RelTypes {
            rel_types: only.map(|only| vec![only.to_owned()]),
            not_rel_types: not.iter().map(ToString::to_string).collect(),
        };
        let cases = [
            (types(None, &[]), true, true),
            (types(Some("m.thread"), &[]), true, false),
            (types(Some("m.reference"), &[]), false, false),
            (types(None, &["m.thread"]), false, true),
            (types(Some("m.thread"), &["m.thread"]), false, false),
        ];
        for (filter, related, unrelated) in cases {
            assert_eq!((filter.admits(thread), filter.admits("{}")), (related, unrelated), "{filter:?}");
            assert_eq!(filter.admits(r#"{"m.relates_to":3}"#), unrelated, "no relation");
        }
    }

    #[test]
    fn a_url_counts_at_the_top_level_only() {
        assert!(has_url(r#"{"url":"mxc://a/b"}"#));
        assert!(!has_url(r#"{"info":{"url":"mxc://a/b"}}"#));
        assert!(!has_url("{}"));
    }
}
