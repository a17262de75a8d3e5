//! Looks events up by their words.

use std::{cmp::Reverse, collections::HashMap, fmt, time::Duration};

use kv::{Read, View};
use room::{EventNum, RoomNum};

use crate::{
    Result, Search, SearchError,
    tables::{Field, Posting, WORDS},
};

/// Words of a query that are looked up; further ones are left out.
const MAX_QUERY: usize = 16;
/// Newest events with a word that are looked at in one room.
const MAX_POSTINGS: usize = 20_000;
/// Events with a word that are looked at in all rooms; rooms for which nothing is left are left out.
const MAX_READ: usize = 200_000;
/// Most events that are found.
const MAX_HITS: usize = 1000;
/// How long a search waits for what was said last to be indexed.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to look for.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    /// All of these, from [`crate::words`].
    pub words: &'a [String],
    /// In one of these.
    pub fields: &'a [Field],
    /// In one of these.
    pub rooms: &'a [RoomNum],
    /// What comes first.
    pub order: Order,
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest.
    Recent,
    /// What fits best.
    Rank,
}

/// Where an event stands among all that were found: later ones are smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    rank: u64,
    sent: u64,
    room: RoomNum,
    num: EventNum,
}

/// An event that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Where it stands.
    pub mark: Mark,
    /// Its room.
    pub room: RoomNum,
    /// The event.
    pub num: EventNum,
    /// How well it fits: more is better.
    pub rank: f64,
}

impl Mark {
    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix('q')?.split('_').map(|part| part.parse::<u64>().ok());
        let mut next = || parts.next().flatten();
        Some(Self { rank: next()?, sent: next()?, room: RoomNum(next()?), num: EventNum(next()?) })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "q{}_{}_{}_{}", self.rank, self.sent, self.room.0, self.num.0)
    }
}

impl Search {
    /// The events that have all words in one field, at most [`MAX_HITS`] of those that come first. Who may see them is
    /// still to be found out.
    ///
    /// # Errors
    /// [`SearchError::Off`].
    pub async fn find(&self, query: &Query<'_>) -> Result<Vec<Hit>> {
        if !self.config.enabled {
            return Err(SearchError::Off);
        }
        if query.words.is_empty() {
            return Ok(Vec::new());
        }
        self.wait().await;
        let view = self.db.view();
        let mut words: Vec<_> = query.words.iter().take(MAX_QUERY).map(String::as_str).collect();
        words.sort_unstable();
        words.dedup();
        let (mut hits, mut left) = (Vec::new(), MAX_READ);
        for room in query.rooms {
            for field in query.fields {
                find_in(&view, *room, *field, &words, query.order, &mut left, &mut hits).await?;
            }
            // What is kept of many rooms stays bounded.
            keep_first(&mut hits);
        }
        Ok(hits)
    }

    /// Waits until what is there now is indexed, for as long as that is worth it.
    async fn wait(&self) {
        let wanted = self.db.positions();
        // Not everything that moves the positions wakes it.
        self.news.notify_one();
        let mut done = self.done.subscribe();
        let reached = done.wait_for(|done| done.reaches(&wanted));
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            tracing::warn!("a search did not wait for the index");
        }
    }
}

/// Puts the events of one room that have all `words` in `field` to `hits`, and takes what it reads off `left`.
async fn find_in(
    view: &View,
    room: RoomNum,
    field: Field,
    words: &[&str],
    order: Order,
    left: &mut usize,
    hits: &mut Vec<Hit>,
) -> Result<()> {
    let mut found: Option<HashMap<EventNum, (u64, f64)>> = None;
    for word in words {
        let range = WORDS.under(&(room, field.code(), *word));
        let postings = view.scan_back(&WORDS, range).by(256).first(MAX_POSTINGS.min(*left)).await?;
        *left -= postings.len();
        let rarity = rarity(postings.len());
        let rows = postings.into_iter().map(|((.., num), posting)| (num, posting));
        let next: HashMap<_, _> = match &found {
            None => rows.map(|(num, posting)| (num, (posting.sent, rarity * weight(&posting)))).collect(),
            Some(known) => rows
                .filter_map(|(num, posting)| {
                    let (sent, rank) = known.get(&num)?;
                    Some((num, (*sent, rank + rarity * weight(&posting))))
                })
                .collect(),
        };
        if next.is_empty() {
            return Ok(());
        }
        found = Some(next);
    }
    hits.extend(found.into_iter().flatten().map(|(num, (sent, rank))| {
        let bits = if order == Order::Rank { rank.max(0.0).to_bits() } else { 0 };
        Hit { mark: Mark { rank: bits, sent, room, num }, room, num, rank }
    }));
    Ok(())
}

fn keep_first(hits: &mut Vec<Hit>) {
    hits.sort_unstable_by_key(|hit| Reverse(hit.mark));
    hits.truncate(MAX_HITS);
}

/// How much a word says that so many events have.
fn rarity(events: usize) -> f64 {
    let events = u32::try_from(events).unwrap_or(u32::MAX);
    (1.0 + 1e6 / f64::from(events.max(1))).ln()
}

/// How much an event is about a word: often is more, in a long text less. As BM25 has it.
fn weight(posting: &Posting) -> f64 {
    const SATURATION: f64 = 1.2;
    const LENGTH: f64 = 0.75;
    const USUAL: f64 = 12.0;
    let (times, length) = (f64::from(posting.times), f64::from(posting.length));
    times * (SATURATION + 1.0) / (times + SATURATION * (1.0 - LENGTH + LENGTH * length / USUAL))
}
