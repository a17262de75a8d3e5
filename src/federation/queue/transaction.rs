//! What goes into one transaction.

use std::sync::Arc;

use bytes::Bytes;
use kv::{Read, Stamp, Tx};
use room::{RoomNum, tables::EVENTS};
use ruma::{ServerName, UserId};
use serde_json::Value;

use super::{
    Queue, QueueError,
    catch_up::CatchUp,
    destination::{Backlog, Destination, Item},
    edu::Waiting,
    tables::{CURSORS, EDUS, IN_FLIGHT, InFlight, STAYS},
};

/// The most events in a transaction. Server-server API, "Transactions".
const MAX_PDUS: usize = 50;
/// The most other messages in a transaction.
const MAX_EDUS: usize = 100;
/// Events stop being added beyond this many bytes, and so do other messages.
const MAX_BYTES: usize = 1 << 20;

/// A transaction to send.
#[derive(Debug)]
pub(super) struct Transaction {
    pub row: InFlight,
    /// Newest-only messages in it, in case that it is not delivered and not stored.
    pub latest: Vec<Waiting>,
}

/// Events of a transaction.
#[derive(Debug, Default)]
struct Events {
    json: Vec<Bytes>,
    upto: Option<u64>,
    singles: Vec<u64>,
}

impl Queue {
    /// The transaction that a destination is to get now: the one it did not acknowledge, or a new one, stored.
    pub(super) async fn next_transaction(
        &self,
        destination: &Arc<Destination>,
    ) -> Result<Option<Transaction>, QueueError> {
        let (in_flight, limit) = {
            let state = destination.state.lock();
            (state.in_flight, state.limit)
        };
        if in_flight {
            if let Some(row) = self.db.begin().peek(&IN_FLIGHT, &destination.name).await? {
                return Ok(Some(Transaction { row, latest: Vec::new() }));
            }
            destination.state.lock().in_flight = false;
        }
        let events = self.next_events(destination, limit.min(MAX_PDUS)).await?;
        let room = if limit == 1 && !events.json.is_empty() { 0 } else { limit.min(MAX_EDUS) };
        let (stamps, mut messages) = self.stored_edus(destination, room).await?;
        let (latest, merged) = self.latest(destination, room - messages.len());
        messages.extend(merged.iter().map(Value::to_string));
        if events.json.is_empty() && messages.is_empty() {
            return Ok(None);
        }
        let row = InFlight {
            id: base::random::alphanumeric(20),
            body: self.body(&events.json, &messages).into(),
            pdus: count(events.json.len()),
            messages: count(messages.len()),
            upto: events.upto.filter(|_| !events.json.is_empty()),
            edus: stamps,
            singles: events.singles,
        };
        if row.is_durable() {
            self.store(destination, &row).await?;
        }
        Ok(Some(Transaction { row, latest }))
    }

    async fn store(&self, destination: &Destination, row: &InFlight) -> Result<(), QueueError> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            tx.put(&IN_FLIGHT, &destination.name, row);
            tx.commit().await
        })
        .await?;
        destination.state.lock().in_flight = true;
        Ok(())
    }

    /// Canonical JSON, as its parts are.
    fn body(&self, pdus: &[Bytes], edus: &[String]) -> Vec<u8> {
        let mut body = b"{\"edus\":[".to_vec();
        join(&mut body, edus.iter().map(String::as_bytes));
        let middle = format!("],\"origin\":\"{}\",\"origin_server_ts\":{},\"pdus\":[", self.own(), self.clock.now());
        body.extend_from_slice(middle.as_bytes());
        join(&mut body, pdus.iter().map(Bytes::as_ref));
        body.extend_from_slice(b"]}");
        body
    }

    /// A transaction with nothing in it, which every server takes that works.
    pub(super) fn empty(&self) -> Bytes {
        self.body(&[], &[]).into()
    }

    /// The next events, loaded. What is not for the destination after all is passed over.
    async fn next_events(&self, destination: &Arc<Destination>, limit: usize) -> Result<Events, QueueError> {
        loop {
            let (items, upto) = self.next_items(destination, limit).await?;
            let Some(upto) = upto else { return Ok(Events::default()) };
            let events = self.load(destination, &items, upto).await?;
            if !events.json.is_empty() {
                return Ok(events);
            }
            self.pass(destination, upto).await?;
        }
    }

    /// The next events in order, and where the destination stands when it has them.
    async fn next_items(
        &self,
        destination: &Arc<Destination>,
        limit: usize,
    ) -> Result<(Vec<Item>, Option<u64>), QueueError> {
        let reading = {
            let mut state = destination.state.lock();
            // What comes meanwhile is queued.
            match std::mem::replace(&mut state.backlog, Backlog::Queued(Default::default())) {
                Backlog::Queued(queue) => {
                    let items: Vec<_> = queue.iter().take(limit).copied().collect();
                    let upto = items.last().map(|item| item.number);
                    state.backlog = Backlog::Queued(queue);
                    return Ok((items, upto));
                }
                Backlog::Reading(reading, queue) => {
                    state.backlog = Backlog::Queued(queue);
                    Some(reading)
                }
                Backlog::Stored => None,
            }
        };
        let read = self.read_on(destination, reading, limit).await;
        if read.is_err() {
            destination.state.lock().start_over();
        }
        read.map(|(items, upto)| (items, Some(upto)))
    }

    async fn read_on(
        &self,
        destination: &Arc<Destination>,
        reading: Option<Box<CatchUp>>,
        limit: usize,
    ) -> Result<(Vec<Item>, u64), QueueError> {
        // In this order: the transaction sees everything up to there.
        let walked = self.walked();
        let tx = self.db.begin();
        let name = &destination.name;
        let mut reading = match reading {
            Some(reading) => reading,
            None => {
                let stored = tx.peek(&CURSORS, name).await?.unwrap_or(walked);
                let cursor = stored.max(destination.state.lock().acked);
                let mut reading = CatchUp::open(&tx, name, cursor, walked).await?;
                self.remove_stays(name, std::mem::take(&mut reading.ended)).await?;
                Box::new(reading)
            }
        };
        let (items, upto) = reading.next(&tx, name, limit).await?;
        let mut state = destination.state.lock();
        let mut queue = match std::mem::replace(&mut state.backlog, Backlog::Stored) {
            Backlog::Queued(queue) | Backlog::Reading(_, queue) => queue,
            Backlog::Stored => {
                reading.overflowed = true;
                Default::default()
            }
        };
        queue.retain(|item| item.number > reading.upto);
        state.backlog = match (reading.is_done(), reading.overflowed) {
            (false, _) => Backlog::Reading(reading, queue),
            (true, false) => Backlog::Queued(queue),
            (true, true) => Backlog::Stored,
        };
        Ok((items, upto))
    }

    /// Removes the rows of stays whose events the destination has.
    async fn remove_stays(&self, destination: &ServerName, ended: Vec<(RoomNum, u64)>) -> Result<(), QueueError> {
        if ended.is_empty() {
            return Ok(());
        }
        kv::retry(|| async {
            let mut tx = self.db.begin().relaxed();
            ended.iter().for_each(|(room, from)| tx.delete(&STAYS, (destination, *room, *from)));
            tx.commit().await
        })
        .await?;
        Ok(())
    }

    /// Loads events; those of the destination's own users and of rooms that are gone are left out.
    async fn load(&self, destination: &Destination, items: &[Item], upto: u64) -> Result<Events, QueueError> {
        let keys = items.iter().map(|item| (item.event.room, item.event.num));
        let rows = self.db.begin().get_many(&EVENTS, keys.collect::<Vec<_>>()).await?;
        let mut events = Events { upto: Some(upto), ..Events::default() };
        let mut bytes = 0;
        let mut last = None;
        for (item, row) in items.iter().zip(rows) {
            if bytes > MAX_BYTES {
                events.upto = last;
                // The rest was read and is read again.
                let mut state = destination.state.lock();
                if !matches!(state.backlog, Backlog::Queued(_)) || !state.holds(item.number) {
                    state.start_over();
                }
                break;
            }
            last = Some(item.number);
            let Some(row) = row else { continue };
            let sender = <&UserId>::try_from(row.event.sender()).map(UserId::server_name);
            if sender.is_ok_and(|server| server == destination.name) {
                continue;
            }
            let json = row.event.json();
            bytes += json.len();
            events.json.push(json);
            events.singles.extend(item.single.then_some(item.number));
        }
        Ok(events)
    }

    /// Moves a destination past events that are not for it.
    async fn pass(&self, destination: &Arc<Destination>, upto: u64) -> Result<(), QueueError> {
        kv::retry(|| async {
            let mut tx = self.db.begin().relaxed();
            tx.put(&CURSORS, &destination.name, &upto);
            tx.commit().await
        })
        .await?;
        destination.state.lock().acknowledge(upto);
        Ok(())
    }

    /// Durable messages, oldest first.
    async fn stored_edus(
        &self,
        destination: &Destination,
        limit: usize,
    ) -> Result<(Vec<Stamp>, Vec<String>), QueueError> {
        {
            let mut state = destination.state.lock();
            if !state.edus || limit == 0 {
                return Ok(Default::default());
            }
            // Whoever adds one says so after this.
            state.edus = false;
        }
        let tx: Tx = self.db.begin();
        let rows = tx.scan(&EDUS, EDUS.under(&(&destination.name,))).first(limit).await;
        destination.state.lock().edus |= rows.as_ref().map_or(true, |rows| !rows.is_empty());
        let mut bytes = 0;
        let mut taken = (Vec::new(), Vec::new());
        for ((_, stamp), text) in rows? {
            bytes += text.len();
            if bytes > MAX_BYTES {
                break;
            }
            taken.0.push(stamp);
            taken.1.push(text);
        }
        Ok(taken)
    }

    fn latest(&self, destination: &Destination, limit: usize) -> (Vec<Waiting>, Vec<Value>) {
        destination.state.lock().latest.take(self.clock.now(), limit)
    }
}

fn join<'a>(out: &mut Vec<u8>, parts: impl Iterator<Item = &'a [u8]>) {
    for (place, part) in parts.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(part);
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
