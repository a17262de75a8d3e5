//! An order of a room's events in which each comes after all that allow it.

use std::collections::{BTreeMap, BinaryHeap, HashMap};

use kv::Read;

use crate::{
    Result, Rooms,
    num::{EventNum, RoomNum},
    tables::{AUTH_LATE, AUTH_READY},
};

/// Most rounds in which the order of late events is sought. They come in order but for a hostile server.
const MAX_ROUNDS: usize = 64;

/// Where an event stands: its number, but for late ones, which stand right after the last one that allows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Order(EventNum, u32);

impl Order {
    fn next(self) -> Self {
        Self(self.0, self.1.saturating_add(1))
    }
}

/// The order of the events of one room.
#[derive(Debug)]
pub(crate) struct Orders {
    late: BTreeMap<EventNum, Order>,
}

impl Orders {
    pub(crate) fn of(&self, num: EventNum) -> Order {
        self.late.get(&num).copied().unwrap_or(Order(num, 0))
    }

    /// The events that are here before some of those that allow them.
    pub(super) fn late(&self) -> impl Iterator<Item = EventNum> {
        self.late.keys().copied()
    }
}

impl Rooms {
    /// The order of a room's events; `None` where none is known: its index is not built yet.
    pub(crate) async fn orders(&self, read: &impl Read, room: RoomNum) -> Result<Option<Orders>> {
        if read.peek(&AUTH_READY, room).await?.is_none() {
            return Ok(None);
        }
        let late = read.scan(&AUTH_LATE, AUTH_LATE.under(&(room,))).collect().await?;
        let late: Vec<_> = late.into_iter().map(|((_, num), ())| num).collect();
        let edges = self.auth_edges(read, room, &late).await?;
        let mut orders = Orders { late: late.into_iter().map(|num| (num, Order(num, 0))).collect() };
        for _ in 0..MAX_ROUNDS {
            let mut settled = true;
            for (num, allowed_by) in &edges {
                let last = allowed_by.iter().map(|num| orders.of(*num)).max().map(Order::next);
                if let Some(order) = last.filter(|order| *order > orders.of(*num)) {
                    orders.late.insert(*num, order);
                    settled = false;
                }
            }
            if settled {
                return Ok(Some(orders));
            }
        }
        Ok(None)
    }
}

/// Events still to be looked at, the last in order first, each with what is known of it so far.
#[derive(Debug, Default)]
pub(super) struct Open<T> {
    heap: BinaryHeap<(Order, EventNum)>,
    known: HashMap<EventNum, T>,
}

impl<T> Open<T> {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), known: HashMap::new() }
    }

    /// What is known of an event that is to be looked at; nothing if it was not to be so far.
    pub(super) fn entry(&mut self, orders: &Orders, num: EventNum) -> &mut T
    where
        T: Default,
    {
        let heap = &mut self.heap;
        self.known.entry(num).or_insert_with(|| {
            heap.push((orders.of(num), num));
            T::default()
        })
    }

    /// Whether what is known of an event that is to be looked at is such.
    pub(super) fn any(&self, such: impl Fn(&T) -> bool) -> bool {
        self.known.values().any(such)
    }

    pub(super) fn pop(&mut self) -> Option<(EventNum, T)> {
        let (_, num) = self.heap.pop()?;
        let known = self.known.remove(&num)?;
        Some((num, known))
    }
}
