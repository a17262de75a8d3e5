//! Writing and reading the rows of the index.

use std::collections::{BTreeSet, HashMap};

use event::Pdu;
use kv::{Read, Tx};
use ruma::OwnedEventId;
use serde::{Deserialize, Serialize};

use crate::{
    Result, Rooms, Tip,
    lookup::rules,
    num::{EventNum, RoomNum},
    serve::{Along, edges},
    tables::{AUTH, AUTH_LATE, AUTH_READY, TIPS},
};

/// The events that allow another one, in order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthEdges(pub Vec<EventNum>);
kv::value!(AuthEdges);

impl Rooms {
    /// Notes that this room has its index from its first event on.
    pub(crate) fn begin_index(&self, tx: &mut Tx, room: RoomNum) {
        tx.put(&AUTH_READY, room, &());
    }

    /// The tip of a room; one that begins now has its index from its first event on.
    pub(crate) async fn tip_or_new(&self, tx: &mut Tx, room: RoomNum) -> Result<Tip> {
        if let Some(tip) = tx.get(&TIPS, room).await? {
            return Ok(tip);
        }
        self.begin_index(tx, room);
        Ok(Tip::empty())
    }

    /// Notes which events allow `pdu`. Nothing is noted of messages: no event rests on one.
    pub(crate) async fn index(&self, tx: &mut Tx, room: RoomNum, num: EventNum, pdu: &Pdu) -> Result<()> {
        // An older room gets its index event by event, from the first: what comes meanwhile waits for its turn.
        if pdu.state_key.is_none() || !tx.has(&AUTH_READY, room).await? {
            return Ok(());
        }
        self.index_event(tx, room, num, pdu).await
    }

    /// As [`Rooms::index`], whatever room it is.
    pub(super) async fn index_event(&self, tx: &mut Tx, room: RoomNum, num: EventNum, pdu: &Pdu) -> Result<()> {
        if tx.peek(&AUTH, (room, num)).await?.is_some() {
            return Ok(());
        }
        let whole = self.index_edges(tx, room, num, &pdu.auth_events).await?;
        // No state holds a rejected event: when it is asked for, it is read itself.
        if !whole && !pdu.rejected {
            tx.put(&AUTH_LATE, (room, num), &());
        }
        Ok(())
    }

    /// Writes the row of an event unless something below it is not here.
    async fn index_edges(&self, tx: &mut Tx, room: RoomNum, num: EventNum, auth: &[OwnedEventId]) -> Result<bool> {
        let ids: BTreeSet<_> = auth.iter().cloned().collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let nums: BTreeSet<_> = self.nums_of(tx, room, &ids).await?.into_values().collect();
        let rows = tx.get_many(&AUTH, nums.iter().map(|num| (room, *num))).await?;
        if nums.len() < ids.len() || rows.iter().any(Option::is_none) {
            return Ok(false);
        }
        if nums.last().is_some_and(|last| *last >= num) {
            tx.put(&AUTH_LATE, (room, num), &());
        }
        tx.put(&AUTH, (room, num), &AuthEdges(nums.into_iter().collect()));
        Ok(true)
    }

    /// Writes the rows of late events below which nothing is missing any more.
    pub(crate) async fn index_late(&self, tx: &mut Tx, room: RoomNum) -> Result<()> {
        let late = tx.scan(&AUTH_LATE, AUTH_LATE.under(&(room,))).collect().await?;
        let nums: Vec<_> = late.into_iter().map(|((_, num), ())| num).collect();
        let rows = tx.get_many(&AUTH, nums.iter().map(|num| (room, *num))).await?;
        let mut without: Vec<_> = nums.into_iter().zip(rows).filter(|(_, row)| row.is_none()).map(|(n, _)| n).collect();
        loop {
            let before = without.len();
            for num in std::mem::take(&mut without) {
                let auth = self.pdu(tx, room, num).await?.auth_events.clone();
                if !self.index_edges(tx, room, num, &auth).await? {
                    without.push(num);
                }
            }
            if without.is_empty() || without.len() == before {
                return Ok(());
            }
        }
    }

    /// The events that allow each of these, in the order asked for; events that are not here are left out.
    pub(crate) async fn auth_edges(
        &self,
        read: &impl Read,
        room: RoomNum,
        nums: &[EventNum],
    ) -> Result<Vec<(EventNum, Vec<EventNum>)>> {
        let rows = read.get_many(&AUTH, nums.iter().map(|num| (room, *num))).await?;
        let without: Vec<_> = nums.iter().zip(&rows).filter(|(_, row)| row.is_none()).map(|(num, _)| *num).collect();
        let mut named = self.named_edges(read, room, without).await?;
        let all = nums.iter().zip(rows).filter_map(|(num, row)| {
            let edges = row.map(|row| row.0).or_else(|| named.remove(num))?;
            Some((*num, edges))
        });
        Ok(all.collect())
    }

    /// As [`Rooms::auth_edges`], from the events themselves.
    pub(super) async fn named_edges(
        &self,
        read: &impl Read,
        room: RoomNum,
        nums: Vec<EventNum>,
    ) -> Result<HashMap<EventNum, Vec<EventNum>>> {
        let mut all = HashMap::with_capacity(nums.len());
        if nums.is_empty() {
            return Ok(all);
        }
        let rules = rules(&self.info(read, room).await?.version)?;
        let rows = self.rows(read, room, nums).await?;
        let ids: Vec<_> = rows.iter().map(|(num, row)| (*num, edges(row, Along::Authorization, &rules))).collect();
        let distinct: BTreeSet<_> = ids.iter().flat_map(|(_, ids)| ids.iter().cloned()).collect();
        let distinct: Vec<_> = distinct.into_iter().collect();
        let found = self.nums_of(read, room, &distinct).await?;
        for (num, ids) in ids {
            let nums: BTreeSet<_> = ids.iter().filter_map(|id| found.get(id).copied()).collect();
            all.insert(num, nums.into_iter().collect());
        }
        Ok(all)
    }
}
