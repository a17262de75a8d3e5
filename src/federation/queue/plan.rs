//! What one step of the walk writes, worked out before its transaction begins.

use std::{collections::HashMap, sync::Arc};

use kv::{Stamp, Tx, WriterId};
use room::{
    EventNum, EventRef, RoomNum,
    tables::{RELAYS, SERVER_LOG},
};
use ruma::{OwnedServerName, ServerName};

use super::{
    destination::{Destination, Item},
    tables::{CURSORS, OPEN, OUTGOING, Outgoing, PRESENT, SINGLES, STAYS, WALKED, Walked},
};

/// The servers of one room.
pub(super) type Servers = Arc<Vec<Arc<Destination>>>;

/// Who gets an event.
#[derive(Debug)]
pub(super) struct Receivers {
    pub destinations: Servers,
    pub except: Option<OwnedServerName>,
    pub item: Item,
}

/// A row or two.
#[derive(Debug)]
pub(super) enum Step {
    /// A server came into a room.
    Entered { room: RoomNum, server: OwnedServerName, from: u64 },
    /// A server left a room.
    Left { room: RoomNum, server: OwnedServerName, from: u64, until: u64 },
    /// An event goes to the servers of its room.
    Sent { room: RoomNum, number: u64, row: Outgoing },
    /// An event goes to one server.
    Single { server: OwnedServerName, number: u64, event: EventRef },
    /// A row of the room's log of servers was taken into account.
    Logged(Stamp, RoomNum, OwnedServerName),
    /// So was the mark of an event to pass on.
    Relayed(RoomNum, EventNum),
}

/// One step of the walk.
#[derive(Debug)]
pub(super) struct Plan {
    /// Where the walk stands after it.
    pub walked: Walked,
    pub steps: Vec<Step>,
    pub receivers: Vec<Receivers>,
    /// Destinations that get a cursor.
    pub cursors: Vec<(Arc<Destination>, u64)>,
    entered: HashMap<(RoomNum, OwnedServerName), u64>,
}

impl Plan {
    /// A step from `walked` up to `upto` of `writer`.
    pub fn new(walked: &Walked, writer: WriterId, upto: u64) -> Self {
        let mut walked = walked.clone();
        walked.upto.advance(writer, upto);
        Self { walked, steps: Vec::new(), receivers: Vec::new(), cursors: Vec::new(), entered: HashMap::new() }
    }

    /// The number of the next outgoing event.
    pub fn next_number(&mut self) -> u64 {
        self.walked.number += 1;
        self.walked.number
    }

    /// A server comes into a room: the next event is for it.
    pub fn enter(&mut self, room: RoomNum, server: &ServerName) {
        let from = self.walked.number + 1;
        self.entered.insert((room, server.to_owned()), from);
        self.steps.push(Step::Entered { room, server: server.to_owned(), from });
    }

    /// From where on a server is in a room that it came into in this step.
    pub fn entered(&self, room: RoomNum, server: &ServerName) -> Option<u64> {
        self.entered.get(&(room, server.to_owned())).copied()
    }

    /// An event goes to the servers of its room.
    pub fn outgoing(&mut self, number: u64, event: EventRef, except: Option<OwnedServerName>, servers: Servers) {
        let row = Outgoing { event: event.num, except: except.clone() };
        self.steps.push(Step::Sent { room: event.room, number, row });
        let item = Item { number, event, single: false };
        self.receivers.push(Receivers { destinations: servers, except, item });
    }

    /// An event goes to a server that is not in the room.
    pub fn single(&mut self, number: u64, event: EventRef, destination: Arc<Destination>) {
        self.steps.push(Step::Single { server: destination.name.clone(), number, event });
        let item = Item { number, event, single: true };
        self.receivers.push(Receivers { destinations: Arc::new(vec![destination]), except: None, item });
    }

    /// Writes all of it.
    pub fn write(&self, tx: &mut Tx) {
        for step in &self.steps {
            match step {
                Step::Entered { room, server, from } => {
                    tx.put(&PRESENT, (*room, server), from);
                    tx.put(&STAYS, (server, *room, *from), &OPEN);
                }
                Step::Left { room, server, from, until } => {
                    tx.delete(&PRESENT, (*room, server));
                    if until < from {
                        tx.delete(&STAYS, (server, *room, *from));
                    } else {
                        tx.put(&STAYS, (server, *room, *from), until);
                    }
                }
                Step::Sent { room, number, row } => tx.put(&OUTGOING, (*room, *number), row),
                Step::Single { server, number, event } => tx.put(&SINGLES, (server, *number), event),
                Step::Logged(stamp, room, server) => tx.delete(&SERVER_LOG, (*stamp, *room, server)),
                Step::Relayed(room, event) => tx.delete(&RELAYS, (*room, *event)),
            }
        }
        for (destination, number) in &self.cursors {
            tx.put(&CURSORS, &destination.name, number);
        }
        tx.put(&WALKED, (), &self.walked);
    }
}
