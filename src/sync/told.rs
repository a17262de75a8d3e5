//! Which members a device was told of lately, so that lazy-loaded ones do not come with every message again.
//! Client-server API, "Lazy-loading room members".

use std::{collections::HashMap, sync::Arc, time::Duration};

use kv::Positions;
use moka::sync::Cache;
use parking_lot::Mutex;
use room::{EventNum, EventRow, RoomNum};
use ruma::{OwnedDeviceId, OwnedUserId};

/// Devices remembered; the others are told again.
const DEVICES: u64 = 4096;
/// Member events remembered for one device.
const MEMBERS: usize = 128;
/// A device that has not synced for this long is forgotten.
const IDLE: Duration = Duration::from_secs(60 * 60);

type Device = (OwnedUserId, OwnedDeviceId);

/// Member events that went to devices, with the positions of the response that each was in: a device has what it was
/// told up to the token that it comes with, whichever responses were lost.
#[derive(Debug)]
pub struct Told(Cache<Device, Arc<Mutex<Members>>>);

type Members = HashMap<(RoomNum, EventNum), Arc<Positions>>;

impl Default for Told {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(DEVICES).time_to_idle(IDLE).build())
    }
}

/// What one device was told, for one response.
#[derive(Debug)]
pub struct Teller<'a> {
    members: Arc<Mutex<Members>>,
    since: Option<&'a Positions>,
    upto: Arc<Positions>,
}

impl Told {
    /// For a response to a device that has everything up to `since`.
    pub fn teller<'a>(&self, device: Device, since: Option<&'a Positions>, upto: &Positions) -> Teller<'a> {
        let members = self.0.get_with(device, Arc::default);
        // What it was told beyond that may have been lost, and need not be in what it is told instead. Without a token it
        // begins anew.
        members.lock().retain(|_, at| since.is_some_and(|since| since.reaches(at)));
        Teller { members, since, upto: Arc::new(upto.clone()) }
    }
}

impl Teller<'_> {
    /// Whether the device has this member event for sure.
    pub fn is_known(&self, room: RoomNum, event: EventNum) -> bool {
        self.has(&self.members.lock(), room, event)
    }

    fn has(&self, members: &Members, room: RoomNum, event: EventNum) -> bool {
        let at = members.get(&(room, event));
        self.since.is_some_and(|since| at.is_some_and(|at| since.reaches(at)))
    }

    /// Notes the member events among those that the response has.
    pub fn note(&self, room: RoomNum, rows: &[(EventNum, EventRow)]) {
        let members = rows.iter().filter(|(_, row)| row.event.kind() == "m.room.member");
        let mut known = self.members.lock();
        for (event, _) in members {
            if self.has(&known, room, *event) {
                continue;
            }
            if known.len() >= MEMBERS {
                known.clear();
            }
            known.insert((room, *event), self.upto.clone());
        }
    }
}
