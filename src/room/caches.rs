use std::sync::Arc;

use event::Pdu;
use moka::sync::Cache;
use ruma::OwnedRoomId;

use crate::{
    RoomInfo,
    num::{EventNum, RoomNum},
    state::{NodeCache, StateKey},
};

/// Rows that never change once committed, decoded. The truth stays in the tables.
#[derive(Debug)]
pub struct Caches {
    pub(crate) nums: Cache<OwnedRoomId, RoomNum>,
    pub(crate) infos: Cache<RoomNum, Arc<RoomInfo>>,
    pub(crate) keys: Cache<(RoomNum, String), StateKey>,
    pub(crate) nodes: NodeCache,
    /// State events as the authorization rules read them; a redaction keeps what those look at.
    pub(crate) pdus: Cache<(RoomNum, EventNum), Arc<Pdu>>,
}

impl Caches {
    /// Caches of `budget` bytes in all, roughly.
    pub fn new(budget: u64) -> Self {
        let sized = |share: u64, bytes_each: u64| (budget * share / 100 / bytes_each).max(64);
        Self {
            nums: Cache::new(sized(10, 160)),
            infos: Cache::new(sized(10, 320)),
            keys: Cache::new(sized(15, 192)),
            nodes: Cache::new(sized(30, 800)),
            pdus: Cache::new(sized(35, 1800)),
        }
    }
}
