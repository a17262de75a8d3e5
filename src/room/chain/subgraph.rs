//! What lies between conflicting events. Room version 12, "Conflicted State Subgraph".

use std::collections::{HashMap, HashSet};

use kv::Read;

use super::order::Orders;
use crate::{
    Result, Rooms,
    num::{EventNum, RoomNum},
};

/// Rows read at a time.
const STEP: usize = 100;

impl Rooms {
    /// Every event on a path along auth events from one of these to another, ends included. Nothing is looked at that
    /// is older than the oldest of them.
    pub(crate) async fn auth_subgraph(
        &self,
        read: &impl Read,
        room: RoomNum,
        orders: Option<&Orders>,
        ends: &HashSet<EventNum>,
    ) -> Result<HashSet<EventNum>> {
        let floor = orders.and_then(|orders| ends.iter().map(|num| orders.of(*num)).min());
        let may_lie = |num: &EventNum| orders.is_none_or(|orders| Some(orders.of(*num)) >= floor);
        let mut above: HashMap<EventNum, Vec<EventNum>> = HashMap::new();
        let (mut met, mut open) = (ends.clone(), Vec::from_iter(ends.iter().copied()));
        while !open.is_empty() {
            let now = open.split_off(open.len().saturating_sub(STEP));
            for (num, allowed_by) in self.auth_edges(read, room, &now).await? {
                for below in allowed_by.into_iter().filter(may_lie) {
                    above.entry(below).or_default().push(num);
                    if met.insert(below) {
                        open.push(below);
                    }
                }
            }
        }
        let mut between = HashSet::new();
        let mut open = Vec::from_iter(ends.iter().copied());
        while let Some(num) = open.pop() {
            if between.insert(num) {
                open.extend(above.get(&num).into_iter().flatten());
            }
        }
        Ok(between)
    }
}
