//! Reading what a destination has missed, from the tables, in the order of the walk.

use std::collections::{BTreeMap, VecDeque};

use kv::{Read, Tx};
use room::{EventRef, RoomNum};
use ruma::ServerName;

use super::{
    destination::Item,
    tables::{OUTGOING, SINGLES, STAYS},
};

/// Rows of a room read at a time.
const PAGE: usize = 16;
/// Events looked at in one step: those that are not for the destination count.
const MAX_STEPS: usize = 200;

/// The events for a destination after its cursor, merged from all rooms that it was in since. Memory: one page for
/// each of those rooms in which there are any.
#[derive(Debug)]
pub(super) struct CatchUp {
    /// The number up to which it reads.
    pub upto: u64,
    /// Whether later events did not fit into the queue behind it.
    pub overflowed: bool,
    /// Stays that ended before the cursor: room and first number. Nobody needs their rows any more.
    pub ended: Vec<(RoomNum, u64)>,
    heads: BTreeMap<u64, Head>,
}

/// The next event of one room, with some after it.
#[derive(Debug)]
struct Head {
    event: EventRef,
    is_for_it: bool,
    rest: VecDeque<(u64, EventRef, bool)>,
    source: Source,
}

/// Where events come from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// A room, up to this number.
    Room(RoomNum, u64),
    /// Those for this destination alone.
    Singles,
}

impl CatchUp {
    /// Everything for `server` after `cursor` and up to `upto`.
    pub async fn open(tx: &Tx, server: &ServerName, cursor: u64, upto: u64) -> kv::Result<Self> {
        let mut catch_up = Self { upto, overflowed: false, ended: Vec::new(), heads: BTreeMap::new() };
        let mut stays = tx.scan(&STAYS, STAYS.under(&(server,)));
        while let Some(((_, room, from), until)) = stays.next().await? {
            if until <= cursor {
                catch_up.ended.push((room, from));
            } else if from <= upto {
                let after = cursor.max(from.saturating_sub(1));
                catch_up.add(tx, server, after, Source::Room(room, until.min(upto))).await?;
            }
        }
        if cursor < upto {
            catch_up.add(tx, server, cursor, Source::Singles).await?;
        }
        Ok(catch_up)
    }

    /// The next events, at most `limit`, and up to where they go; fewer with `upto` reached means that there are no
    /// more.
    pub async fn next(&mut self, tx: &Tx, server: &ServerName, limit: usize) -> kv::Result<(Vec<Item>, u64)> {
        let mut items = Vec::new();
        let mut last = 0;
        for _ in 0..MAX_STEPS {
            if items.len() == limit {
                return Ok((items, last));
            }
            let Some((number, head)) = self.heads.pop_first() else { return Ok((items, self.upto)) };
            last = number;
            if head.is_for_it {
                let single = matches!(head.source, Source::Singles);
                items.push(Item { number, event: head.event, single });
            }
            self.advance(tx, server, number, head).await?;
        }
        Ok((items, last))
    }

    /// Whether everything was read.
    pub fn is_done(&self) -> bool {
        self.heads.is_empty()
    }

    async fn advance(&mut self, tx: &Tx, server: &ServerName, number: u64, mut head: Head) -> kv::Result<()> {
        match head.rest.pop_front() {
            Some((next, event, is_for_it)) => {
                self.heads.insert(next, Head { event, is_for_it, ..head });
                Ok(())
            }
            None => self.add(tx, server, number, head.source).await,
        }
    }

    /// Reads on in a source after a number.
    async fn add(&mut self, tx: &Tx, server: &ServerName, after: u64, source: Source) -> kv::Result<()> {
        let mut rows = match source {
            Source::Room(room, until) => room_page(tx, server, room, after, until).await?,
            Source::Singles => singles_page(tx, server, after, self.upto).await?,
        };
        if let Some((number, event, is_for_it)) = rows.pop_front() {
            self.heads.insert(number, Head { event, is_for_it, rest: rows, source });
        }
        Ok(())
    }
}

async fn room_page(
    tx: &Tx,
    server: &ServerName,
    room: RoomNum,
    after: u64,
    until: u64,
) -> kv::Result<VecDeque<(u64, EventRef, bool)>> {
    if after >= until {
        return Ok(VecDeque::new());
    }
    let range = OUTGOING.between(&(room, after + 1), &(room, until.saturating_add(1)));
    let rows = tx.scan(&OUTGOING, range).first(PAGE).await?;
    let of_row = |((room, number), row): ((RoomNum, u64), super::tables::Outgoing)| {
        let is_for_it = row.except.as_deref() != Some(server);
        (number, EventRef { room, num: row.event }, is_for_it)
    };
    Ok(rows.into_iter().map(of_row).collect())
}

async fn singles_page(
    tx: &Tx,
    server: &ServerName,
    after: u64,
    upto: u64,
) -> kv::Result<VecDeque<(u64, EventRef, bool)>> {
    let range = SINGLES.between(&(server, after + 1), &(server, upto.saturating_add(1)));
    let rows = tx.scan(&SINGLES, range).first(PAGE).await?;
    Ok(rows.into_iter().map(|((_, number), event)| (number, event, true)).collect())
}
