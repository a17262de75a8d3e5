//! Walking the stream from where an application service stands.

use kv::{Positions, Read, Stamp, Table, View, WriterId};
use room::{
    EventNum, EventRef,
    row::EventRow,
    tables::{EVENTS, OUTSIDE_LOG, STREAM},
};

use super::{Outgoing, interest::Interest};
use crate::Result;

/// Events looked at in one step.
const STEP: usize = 64;
/// The most events in a transaction.
const MAX_EVENTS: usize = 100;
/// No event is added beyond this many bytes.
const MAX_BYTES: usize = 1 << 20;

/// Events for an application service.
#[derive(Debug)]
pub(super) struct Batch {
    /// In the order of the stream.
    pub events: Vec<(EventRef, EventRow)>,
    /// Up to here was looked.
    pub upto: Positions,
    /// Whether there may be more.
    pub more: bool,
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.events.len() >= MAX_EVENTS || self.bytes >= MAX_BYTES
    }
}

impl Outgoing {
    /// The next events after `from`; at most `steps` steps are made without finding any.
    pub(super) async fn walk(
        &self,
        view: &View,
        interest: &mut Interest,
        from: &Positions,
        steps: usize,
    ) -> Result<Batch> {
        let mut batch = Batch { events: Vec::new(), upto: from.clone(), more: false, bytes: 0 };
        for (writer, end) in view.positions().iter() {
            for _ in 0..steps {
                if batch.upto.of(writer) >= end {
                    break;
                }
                if batch.is_full() {
                    batch.more = true;
                    return Ok(batch);
                }
                self.step(view, interest, writer, end, &mut batch).await?;
            }
            batch.more |= batch.upto.of(writer) < end;
        }
        Ok(batch)
    }

    async fn step(
        &self,
        view: &View,
        interest: &mut Interest,
        writer: WriterId,
        end: u64,
        batch: &mut Batch,
    ) -> Result<()> {
        let from = batch.upto.of(writer);
        let inside = page(view, &STREAM, writer, from, end).await?;
        let outside = page(view, &OUTSIDE_LOG, writer, from, end).await?;
        // A full page says nothing of what comes after its last row.
        let full = [&inside, &outside].into_iter().filter(|rows| rows.len() == STEP);
        let upto = full.filter_map(|rows| rows.last()).map(|(at, _)| at.n).min().unwrap_or(end);
        let mut all: Vec<_> = inside.into_iter().chain(outside).filter(|(at, _)| at.n <= upto).collect();
        all.sort_by_key(|(at, _)| *at);
        let keys: Vec<(_, EventNum)> = all.iter().map(|(_, event)| (event.room, event.num)).collect();
        let rows = view.get_many(&EVENTS, keys).await?;
        for ((at, event), row) in all.into_iter().zip(rows) {
            // Without a row the room is gone.
            if let Some(row) = row
                && interest.in_event(&self.rooms, view, event.room, &row).await?
            {
                if batch.is_full() {
                    // The next walk meets it again.
                    return Ok(());
                }
                batch.bytes += row.event.as_bytes().len();
                batch.events.push((event, row));
            }
            batch.upto.advance(writer, at.n);
        }
        batch.upto.advance(writer, upto);
        Ok(())
    }
}

async fn page(
    view: &View,
    table: &Table<Stamp, EventRef>,
    writer: WriterId,
    from: u64,
    end: u64,
) -> Result<Vec<(Stamp, EventRef)>> {
    let stamp = |n: u64| Stamp { writer, n: n.saturating_add(1) };
    Ok(view.scan(table, table.between(&stamp(from), &stamp(end))).first(STEP).await?)
}
