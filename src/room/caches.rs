use std::{sync::Arc, time::Duration};

use event::Pdu;
use quick_cache::sync::Cache;
use ruma::OwnedRoomId;

use crate::{
    RoomInfo,
    num::{EventNum, RoomNum},
    serve::Acl,
    state::{NodeCache, StateKey},
};

/// A transaction that began before this has ended.
const SETTLES: Duration = Duration::from_secs(60);

/// Rows that never change once committed, decoded. The truth stays in the tables. Every request looks here some ten
/// times, so these are caches that cost little to ask.
#[derive(Debug)]
pub struct Caches {
    pub(crate) nums: Cache<OwnedRoomId, RoomNum>,
    pub(crate) infos: Cache<RoomNum, Arc<RoomInfo>>,
    pub(crate) keys: Cache<(RoomNum, String), StateKey>,
    pub(crate) nodes: NodeCache,
    /// State events as the authorization rules read them; a redaction keeps what those look at.
    pdus: Cache<(RoomNum, EventNum), Arc<Pdu>>,
    /// Access lists, ready to be asked.
    acls: Cache<(RoomNum, EventNum), Arc<Acl>>,
    /// Events that are being redacted: who read one before the commit must not put it back.
    redacted: moka::sync::Cache<(RoomNum, EventNum), ()>,
}

impl Caches {
    /// Caches of `budget` bytes in all, roughly.
    pub fn new(budget: u64) -> Self {
        let sized = |share: u64, bytes_each: u64| (budget * share / 100 / bytes_each).max(64);
        let entries = |share, bytes_each| usize::try_from(sized(share, bytes_each)).unwrap_or(usize::MAX);
        Self {
            nums: Cache::new(entries(10, 160)),
            infos: Cache::new(entries(10, 320)),
            keys: Cache::new(entries(15, 192)),
            nodes: Cache::new(entries(30, 800)),
            pdus: Cache::new(entries(31, 1800)),
            // Lists may be long: each stands for a full event, and few rooms have one.
            acls: Cache::new(entries(4, 32_768)),
            redacted: moka::sync::Cache::builder().max_capacity(sized(1, 100)).time_to_live(SETTLES).build(),
        }
    }

    /// An event that was read before.
    pub(crate) fn pdu(&self, room: RoomNum, num: EventNum) -> Option<Arc<Pdu>> {
        self.pdus.get(&(room, num))
    }

    /// Keeps an event that was read.
    pub(crate) fn keep_pdu(&self, room: RoomNum, num: EventNum, pdu: Arc<Pdu>) {
        self.pdus.insert((room, num), pdu);
        if self.redacted.contains_key(&(room, num)) {
            self.pdus.remove(&(room, num));
        }
    }

    /// An access list that was read before.
    pub(crate) fn acl(&self, room: RoomNum, num: EventNum) -> Option<Arc<Acl>> {
        self.acls.get(&(room, num))
    }

    /// Keeps an access list that was read.
    pub(crate) fn keep_acl(&self, room: RoomNum, num: EventNum, acl: Arc<Acl>) {
        self.acls.insert((room, num), acl);
        if self.redacted.contains_key(&(room, num)) {
            self.acls.remove(&(room, num));
        }
    }

    /// Drops an event whose row changes in a transaction that has not committed yet.
    pub(crate) fn forget_pdu(&self, room: RoomNum, num: EventNum) {
        self.redacted.insert((room, num), ());
        self.pdus.remove(&(room, num));
        self.acls.remove(&(room, num));
    }
}
