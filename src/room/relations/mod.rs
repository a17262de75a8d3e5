//! Which events refer to which (`m.relates_to`), indexed as they are appended.
//! Client-server API, "Forming relationships between events".

mod bundle;
mod check;
mod index;
mod list;
mod waiting;

pub use list::{Include, RelationsPage, RelationsQuery, ThreadsPage};

pub(crate) use bundle::Bundles;

use std::borrow::Cow;

use ruma::{EventId, OwnedEventId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::num::{EventNum, Place};

/// The kinds of relations that have rows of their own, as they stand in keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Replace = 1,
    Annotation = 2,
    Reference = 3,
    Thread = 4,
    Other = 5,
}

impl Class {
    pub(crate) const ALL: [Self; 5] = [Self::Replace, Self::Annotation, Self::Reference, Self::Thread, Self::Other];

    pub(crate) fn of(rel_type: &str) -> Self {
        match rel_type {
            "m.replace" => Self::Replace,
            "m.annotation" => Self::Annotation,
            "m.reference" => Self::Reference,
            "m.thread" => Self::Thread,
            _ => Self::Other,
        }
    }

    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

/// What an event says about another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation<'a> {
    pub(crate) rel_type: Cow<'a, str>,
    pub(crate) parent: OwnedEventId,
    /// Of annotations: what is annotated with.
    pub(crate) key: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(rename = "m.relates_to", borrow)]
    relates_to: &'a RawValue,
}

#[derive(Deserialize)]
struct Inner<'a> {
    #[serde(borrow)]
    rel_type: Cow<'a, str>,
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow, default)]
    key: Option<Cow<'a, str>>,
}

impl<'a> Relation<'a> {
    /// Reads the relation in a content; none if it is malformed.
    pub(crate) fn of_content(content: &'a str) -> Option<Self> {
        // Most events have none, and a search costs less than parsing.
        if !content.contains("m.relates_to") {
            return None;
        }
        let outer: Outer<'a> = serde_json::from_str(content).ok()?;
        let inner: Inner<'a> = serde_json::from_str(outer.relates_to.get()).ok()?;
        let parent = EventId::parse(&*inner.event_id).ok()?;
        Some(Self { rel_type: inner.rel_type, parent, key: inner.key })
    }

    pub(crate) fn class(&self) -> Class {
        Class::of(&self.rel_type)
    }

    /// Names the annotation by type and key, in a fixed length.
    pub(crate) fn annotation(&self, kind: &str) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(kind.as_bytes()).update(&[0]).update(self.key.as_deref().unwrap_or_default().as_bytes());
        let mut name = [0; 16];
        hasher.finalize_xof().fill(&mut name);
        name
    }
}

/// An event that refers to another one: what lists and bundles need without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Its number.
    pub num: EventNum,
    /// Its id.
    pub id: OwnedEventId,
    /// Who sent it.
    pub sender: OwnedUserId,
    /// Its type.
    pub kind: String,
    /// Its relation type, where the key does not say it.
    pub rel_type: Option<String>,
    /// When its server says it was sent, in milliseconds since the Unix epoch.
    pub sent: u64,
}

/// A thread by its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// How many events are in it, the root aside.
    pub count: u64,
    /// The newest of them.
    pub latest: EventNum,
    /// The place of the newest.
    pub place: Place,
}

/// In which thread an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InThread {
    /// The root.
    pub root: EventNum,
    /// Over how many relations.
    pub hops: u8,
}

/// Why an event waits for another one that is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waits {
    /// It refers to it.
    Relation,
    /// It redacts it.
    Redaction,
}

kv::value!(Child, Thread, InThread, Waits);
