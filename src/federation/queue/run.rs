//! The tasks of the queue.

use std::{sync::Arc, time::Duration};

use kv::{Announcement, Observer, Read, Topic};
use ruma::{OwnedServerName, ServerName};
use tokio::{
    sync::{Notify, broadcast, mpsc},
    task::JoinSet,
};

use super::{
    Queue, QueueError,
    destination::{Backlog, Destination, Stage},
    lanes::Lanes,
    tables::{CURSORS, EDUS, FAILING, IN_FLIGHT, WALKED},
    walk::Walk,
};

/// How often the walk looks without being woken, and timers are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two times of tidying up.
const TIDY: u64 = 30;
/// The pause after storage failed.
const BROKEN: Duration = Duration::from_secs(5);
/// A server that is heard from is not tried sooner than this after the last time, in milliseconds.
const HEARD_PAUSE: u64 = 5000;

/// Wakes the walk.
#[derive(Default)]
struct Woken(Notify);

impl Observer for Woken {
    fn record(&self, _: &[Announcement]) {}

    fn wake(&self, changes: &[Announcement]) {
        if changes.iter().any(|change| matches!(change.topic, Topic::Room(_))) {
            self.0.notify_one();
        }
    }
}

impl Queue {
    /// Sends what is left of the last process and all that comes; `heard` names servers that talk to us. Ends only
    /// with the process, or when it runs already.
    pub async fn run(self, heard: broadcast::Receiver<OwnedServerName>) {
        let Some(to_serve) = self.to_serve.lock().take() else { return };
        while let Err(error) = self.restore().await {
            tracing::error!(%error, "the outgoing queue was not read; trying again");
            tokio::time::sleep(BROKEN).await;
        }
        // Ended with this function.
        let mut tasks = JoinSet::new();
        tasks.spawn(self.clone().follow());
        tasks.spawn(self.clone().serve_all(to_serve));
        tasks.spawn(self.clone().listen(heard));
        while tasks.join_next().await.is_some() {}
    }

    /// Brings back what the tables know of destinations.
    pub(super) async fn restore(&self) -> Result<(), QueueError> {
        let tx = self.db.begin();
        self.note_walked(tx.peek(&WALKED, ()).await?.unwrap_or_default().number);
        let mut failing = tx.scan(&FAILING, FAILING.all());
        while let Some((name, row)) = failing.next().await? {
            self.destinations.named(&name).state.lock().failing = Some(row);
            self.timers.lock().insert((row.again, name));
        }
        let mut cursors = tx.scan(&CURSORS, CURSORS.all());
        while let Some((name, _)) = cursors.next().await? {
            let destination = self.destinations.named(&name);
            let mut state = destination.state.lock();
            (state.tracked, state.backlog) = (true, Backlog::Stored);
        }
        let mut in_flight = tx.scan(&IN_FLIGHT, IN_FLIGHT.all()).by(4);
        while let Some((name, _)) = in_flight.next().await? {
            self.destinations.named(&name).state.lock().in_flight = true;
        }
        let mut edus = EDUS.all();
        while let Some(((name, _), _)) = tx.scan(&EDUS, edus.clone()).first(1).await?.pop() {
            edus.start = EDUS.under(&(&name,)).end;
            let destination = self.destinations.named(&name);
            let mut state = destination.state.lock();
            (state.edus, state.untrimmed) = (true, true);
        }
        for destination in self.destinations.all() {
            self.offer(&destination, |_| {});
        }
        Ok(())
    }

    /// Walks whenever something happens in a room.
    async fn follow(self) {
        let woken = Arc::new(Woken::default());
        self.db.observe(woken.clone());
        let mut walk = loop {
            match Walk::open(self.clone()).await {
                Ok(walk) => break walk,
                Err(error) => tracing::error!(%error, "the walk did not begin; trying again"),
            }
            tokio::time::sleep(BROKEN).await;
        };
        let mut ticks = 0_u64;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let tidy = ticks >= TIDY;
            if tidy {
                ticks = 0;
            }
            if let Err(error) = walk.go(tidy).await {
                tracing::error!(%error, "the walk stopped; trying again");
                tokio::time::sleep(BROKEN).await;
                continue;
            }
            tokio::select! {
                () = woken.0.notified() => {}
                _ = tick.tick() => {
                    ticks += 1;
                    self.show_figures();
                }
            }
        }
    }

    /// Sends to many destinations at once.
    async fn serve_all(self, mut to_serve: mpsc::UnboundedReceiver<Arc<Destination>>) {
        let mut lanes = Lanes::new(&self.clock);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(destination) = to_serve.recv() => lanes.add(destination),
                () = lanes.ended() => {}
                _ = tick.tick() => self.fire_timers(),
            }
            // Many come at once.
            while let Ok(destination) = to_serve.try_recv() {
                lanes.add(destination);
            }
            lanes.fill(&self);
        }
    }

    /// Has those served whose pause is over.
    pub(super) fn fire_timers(&self) {
        let now = self.clock.now();
        loop {
            let due = {
                let mut timers = self.timers.lock();
                match timers.first() {
                    Some((at, _)) if *at <= now => timers.pop_first(),
                    _ => None,
                }
            };
            let Some((_, name)) = due else { break };
            if let Some(destination) = self.destinations.find(&name) {
                self.offer(&destination, |_| {});
            }
        }
    }

    /// Tries servers again that talk to us.
    async fn listen(self, mut heard: broadcast::Receiver<OwnedServerName>) {
        loop {
            match heard.recv().await {
                Ok(server) => self.heard_from(&server),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    // Nobody knows who it was. All of them together have to wait for their turn.
                    for destination in self.destinations.all() {
                        self.hurry(&destination, false);
                    }
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    /// Ends the pause of a server that talked to us.
    pub fn heard_from(&self, server: &ServerName) {
        if let Some(destination) = self.destinations.find(server) {
            self.hurry(&destination, true);
        }
    }

    /// Ends the pause of a destination that fails; an urgent one does not wait for others that fail.
    fn hurry(&self, destination: &Arc<Destination>, urgent: bool) {
        let (at, waits, is_news) = {
            let mut state = destination.state.lock();
            let Some(failing) = &mut state.failing else { return };
            let at = failing.again.min(self.clock.now().max(failing.last + HEARD_PAUSE));
            failing.again = at;
            let is_news = urgent && !state.urgent;
            state.urgent |= urgent;
            (at, state.stage == Stage::Ready, is_news)
        };
        if waits {
            if is_news {
                self.make_ready(destination);
            }
            return;
        }
        self.timers.lock().insert((at, destination.name.clone()));
        self.offer(destination, |_| {});
    }
}
