//! The walk: follows the stream of all rooms once and finds out which events are for which servers.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use kv::{Read, Stamp, View, WriterId};
use room::{
    EventNum, EventRef, EventRow, Membership, RoomNum,
    tables::{EVENTS, RELAYS, SERVER_LOG, STREAM},
};
use ruma::{OwnedServerName, ServerName, UserId};
use serde::Deserialize;

use super::{
    Queue, QueueError,
    destination::Destination,
    plan::{Plan, Servers, Step},
    tables::{CURSORS, PRESENT, WALKED, Walked},
};

/// Events looked at in one transaction.
const BATCH: usize = 256;
/// Servers of rooms that are kept in memory; more are read again.
const MAX_CACHED: usize = 500_000;

/// Walks the stream. There is one.
#[derive(Debug)]
pub(super) struct Walk {
    queue: Queue,
    walked: Walked,
    /// The other servers in a room, by name, where the walk stands.
    rooms: HashMap<RoomNum, Servers>,
    cached: usize,
}

/// What happened at one position.
#[derive(Debug, Default)]
struct Happened {
    event: Option<EventRef>,
    entered: Vec<(RoomNum, OwnedServerName)>,
    left: Vec<(RoomNum, OwnedServerName)>,
}

#[derive(Deserialize)]
struct MemberContent {
    membership: String,
}

impl Walk {
    /// Goes on where the walk of the last process stood.
    pub async fn open(queue: Queue) -> Result<Self, QueueError> {
        let walked = queue.db.begin().peek(&WALKED, ()).await?.unwrap_or_default();
        Ok(Self { queue, walked, rooms: HashMap::new(), cached: 0 })
    }

    /// Walks to the end of the stream; `tidy` takes cursors away that are not needed any more.
    ///
    /// # Errors
    /// As [`Walk::step`].
    pub async fn go(&mut self, tidy: bool) -> Result<(), QueueError> {
        while self.step().await? {}
        if tidy { self.untrack().await } else { Ok(()) }
    }

    /// Looks at the next events; answers whether there may be more.
    ///
    /// # Errors
    /// When storage fails; the step may be tried again.
    pub async fn step(&mut self) -> Result<bool, QueueError> {
        let view = self.queue.db.view();
        for (writer, upto) in view.positions().clone().iter() {
            let from = self.walked.upto.of(writer);
            if from < upto {
                let more = self.step_of(&view, writer, from, upto).await;
                if more.is_err() {
                    // What was derived from the step that did not happen is read again.
                    self.forget();
                }
                return more;
            }
        }
        Ok(false)
    }

    async fn step_of(&mut self, view: &View, writer: WriterId, from: u64, upto: u64) -> Result<bool, QueueError> {
        // Not in the middle of a step: the cache is ahead of the tables then.
        if self.cached > MAX_CACHED {
            self.forget();
        }
        let stamp = |n| Stamp { writer, n };
        let range = STREAM.between(&stamp(from + 1), &stamp(upto + 1));
        let events = view.scan(&STREAM, range).first(BATCH).await?;
        let full = events.len() == BATCH;
        let upto = events.last().filter(|_| full).map_or(upto, |(last, _)| last.n);
        let mut range = SERVER_LOG.under(&(stamp(from + 1),));
        range.end = SERVER_LOG.under(&(stamp(upto),)).end;
        let log = view.scan(&SERVER_LOG, range).collect().await?;
        let mut plan = Plan::new(&self.walked, writer, upto);
        // Positions without rooms' news are not worth a write each: those of typing, for one.
        if !events.is_empty() || !log.is_empty() {
            self.plan(view, &mut plan, events, log).await?;
            self.track(&mut plan);
            kv::retry(|| self.commit(&plan)).await?;
        }
        self.walked = plan.walked.clone();
        self.deliver(plan);
        Ok(full)
    }

    async fn commit(&self, plan: &Plan) -> Result<(), QueueError> {
        // Not waited for: what is sent waits for the disk, and that write comes after this one. If both are lost, the
        // walk comes by here again.
        let mut tx = self.queue.db.begin().relaxed();
        plan.write(&mut tx);
        Ok(tx.commit().await?)
    }

    /// Goes through what happened in order.
    async fn plan(
        &mut self,
        view: &View,
        plan: &mut Plan,
        events: Vec<(Stamp, EventRef)>,
        log: Vec<((Stamp, RoomNum, OwnedServerName), bool)>,
    ) -> Result<(), QueueError> {
        let ours = self.ours(view, plan, &events).await?;
        for (_, happened) in in_order(events, log, plan) {
            // A join made through another server is that server's to send.
            let joins = |(room, server): &(RoomNum, OwnedServerName)| {
                server == self.queue.own() && happened.event.is_some_and(|event| event.room == *room)
            };
            let elsewhere = happened.entered.iter().any(joins);
            for (room, server) in happened.entered {
                self.enter(plan, room, &server).await?;
            }
            if let Some(event) = happened.event.filter(|_| !elsewhere)
                && let Some(ours) = ours.get(&(event.room, event.num))
            {
                self.event(plan, event, ours).await?;
            }
            for (room, server) in happened.left {
                self.leave(plan, room, &server).await?;
            }
        }
        Ok(())
    }

    /// The events that this server sends: its own users', and those that it passes on.
    async fn ours(
        &self,
        view: &View,
        plan: &mut Plan,
        events: &[(Stamp, EventRef)],
    ) -> Result<HashMap<(RoomNum, EventNum), Ours>, QueueError> {
        let keys: Vec<_> = events.iter().map(|(_, event)| (event.room, event.num)).collect();
        let rows = view.get_many(&EVENTS, keys.clone()).await?;
        let relays = view.get_many(&RELAYS, keys.clone()).await?;
        let mut ours = HashMap::new();
        for ((key, row), relay) in keys.into_iter().zip(rows).zip(relays) {
            let Some(row) = row else { continue };
            if relay.is_some() {
                plan.steps.push(Step::Relayed(key.0, key.1));
            }
            let except = relay.and_then(|origin| OwnedServerName::try_from(origin).ok());
            if except.is_some() || server_of(row.event.sender()) == Some(self.queue.own()) {
                let invited = self.invited(view, key.0, &row).await?;
                ours.insert(key, Ours { except, invited });
            }
        }
        Ok(ours)
    }

    /// The server of somebody whose invite or knock this event takes back: it is not in the room, but has to know.
    async fn invited(&self, view: &View, room: RoomNum, row: &EventRow) -> Result<Option<OwnedServerName>, QueueError> {
        if row.event.kind() != "m.room.member" {
            return Ok(None);
        }
        let Some(server) = row.event.state_key().and_then(server_of).filter(|server| *server != self.queue.own())
        else {
            return Ok(None);
        };
        let Some(replaced) = row.meta.replaces else { return Ok(None) };
        let Some(before) = view.peek(&EVENTS, (room, replaced)).await? else { return Ok(None) };
        let was = membership(&before);
        let is = membership(row);
        let taken_back = matches!(was, Some(Membership::Invite | Membership::Knock))
            && matches!(is, Some(Membership::Leave | Membership::Ban));
        Ok(taken_back.then(|| server.to_owned()))
    }

    async fn event(&mut self, plan: &mut Plan, event: EventRef, ours: &Ours) -> Result<(), QueueError> {
        let servers = self.servers(event.room).await?;
        let single = ours.invited.as_ref().filter(|server| position(&servers, server).is_err());
        if servers.is_empty() && single.is_none() {
            return Ok(());
        }
        let number = plan.next_number();
        if !servers.is_empty() {
            plan.outgoing(number, event, ours.except.clone(), servers);
        }
        if let Some(server) = single {
            plan.single(number, event, self.queue.destinations.named(server));
        }
        Ok(())
    }

    async fn enter(&mut self, plan: &mut Plan, room: RoomNum, server: &ServerName) -> Result<(), QueueError> {
        if server == self.queue.own() {
            return Ok(());
        }
        let mut servers = self.servers(room).await?;
        if let Err(place) = position(&servers, server) {
            Arc::make_mut(&mut servers).insert(place, self.queue.destinations.named(server));
            self.keep(room, servers);
            plan.enter(room, server);
        }
        Ok(())
    }

    async fn leave(&mut self, plan: &mut Plan, room: RoomNum, server: &ServerName) -> Result<(), QueueError> {
        let mut servers = self.servers(room).await?;
        let Ok(place) = position(&servers, server) else { return Ok(()) };
        Arc::make_mut(&mut servers).remove(place);
        self.keep(room, servers);
        let from = match plan.entered(room, server) {
            Some(from) => from,
            None => self.queue.db.begin().peek(&PRESENT, (room, server)).await?.unwrap_or(0),
        };
        plan.steps.push(Step::Left { room, server: server.to_owned(), from, until: plan.walked.number });
        Ok(())
    }

    /// The other servers in a room where the walk stands.
    async fn servers(&mut self, room: RoomNum) -> Result<Servers, QueueError> {
        if let Some(servers) = self.rooms.get(&room) {
            return Ok(servers.clone());
        }
        // The last step may not be on disk yet, so a view does not do.
        let tx = self.queue.db.begin();
        let rows = tx.scan(&PRESENT, PRESENT.under(&(room,))).collect().await?;
        let mut servers: Vec<_> =
            rows.into_iter().map(|((_, server), _)| self.queue.destinations.named(&server)).collect();
        servers.sort_by(|a, b| a.name.cmp(&b.name));
        let servers = Arc::new(servers);
        self.keep(room, servers.clone());
        Ok(servers)
    }

    fn keep(&mut self, room: RoomNum, servers: Servers) {
        self.cached += servers.len() + 1;
        self.rooms.insert(room, servers);
    }

    fn forget(&mut self) {
        self.rooms.clear();
        self.cached = 0;
    }

    /// Gives a cursor to destinations that get an event and have none: it stands where the walk stood.
    fn track(&self, plan: &mut Plan) {
        let mut seen = BTreeSet::new();
        let mut fresh = Vec::new();
        for destination in plan.receivers.iter().flat_map(|receivers| receivers.destinations.iter()) {
            if !destination.state.lock().tracked && seen.insert(destination.name.clone()) {
                fresh.push((destination.clone(), self.walked.number));
            }
        }
        plan.cursors = fresh;
    }

    /// Hands the events of a committed plan to their destinations.
    fn deliver(&mut self, plan: Plan) {
        let queue = &self.queue;
        for (destination, _) in &plan.cursors {
            destination.state.lock().tracked = true;
        }
        queue.note_walked(plan.walked.number);
        let mut woken = Vec::new();
        for receivers in &plan.receivers {
            let now = queue.clock.now();
            for destination in receivers.destinations.iter() {
                if receivers.except.as_ref() != Some(&destination.name)
                    && destination.offer(now, |state| state.push(receivers.item))
                {
                    woken.push(destination.clone());
                }
            }
        }
        woken.iter().for_each(|destination| queue.make_ready(destination));
    }

    /// Takes the cursors away of destinations that have got everything. Nobody is sending to them, and only the walk
    /// gives them events, so nothing can come in between.
    pub async fn untrack(&mut self) -> Result<(), QueueError> {
        let now = self.queue.clock.now();
        let done: Vec<_> =
            self.queue.destinations.all().into_iter().filter(|destination| destination.is_done(now)).collect();
        for some in done.chunks(BATCH) {
            kv::retry(|| async {
                let mut tx = self.queue.db.begin().relaxed();
                some.iter().for_each(|destination| tx.delete(&CURSORS, &destination.name));
                tx.commit().await
            })
            .await?;
            some.iter().for_each(|destination| destination.state.lock().tracked = false);
        }
        self.queue.destinations.forget_idle();
        Ok(())
    }
}

/// An event that this server sends.
#[derive(Debug)]
struct Ours {
    except: Option<OwnedServerName>,
    invited: Option<OwnedServerName>,
}

/// Events and changes of servers by position; the rows of the log are to be removed.
fn in_order(
    events: Vec<(Stamp, EventRef)>,
    log: Vec<((Stamp, RoomNum, OwnedServerName), bool)>,
    plan: &mut Plan,
) -> BTreeMap<Stamp, Happened> {
    let mut all: BTreeMap<Stamp, Happened> = BTreeMap::new();
    for (stamp, event) in events {
        all.entry(stamp).or_default().event = Some(event);
    }
    for ((stamp, room, server), entered) in log {
        plan.steps.push(Step::Logged(stamp, room, server.clone()));
        let happened = all.entry(stamp).or_default();
        if entered { happened.entered.push((room, server)) } else { happened.left.push((room, server)) }
    }
    all
}

fn position(servers: &[Arc<Destination>], server: &ServerName) -> Result<usize, usize> {
    servers.binary_search_by(|destination| (*destination.name).cmp(server))
}

fn server_of(user: &str) -> Option<&ServerName> {
    <&UserId>::try_from(user).ok().map(UserId::server_name)
}

fn membership(row: &EventRow) -> Option<Membership> {
    let content: MemberContent = serde_json::from_str(row.event.content()).ok()?;
    Membership::parse(&content.membership)
}
