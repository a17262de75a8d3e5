//! How each destination does, for administrators.

use base::Millis;
use kv::Read;
use room::Rooms;
use ruma::{OwnedServerName, ServerName};

use super::{
    Queue, QueueError,
    destination::Stage,
    tables::{CURSORS, FAILING, Failing, STAYS},
};

/// How a destination does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationStatus {
    /// Its name.
    pub destination: OwnedServerName,
    /// Since when it fails, in milliseconds since the epoch; `None` if it does not.
    pub failing_since: Option<Millis>,
    /// When it was tried last without success.
    pub last_failure: Option<Millis>,
    /// The pause after that in milliseconds.
    pub pause: Millis,
    /// The number of the newest event that it acknowledged or that is not for it.
    pub acknowledged: u64,
    /// The number of the newest event that is for any server.
    pub newest: u64,
    /// Whether something waits for it.
    pub waiting: bool,
}

impl Queue {
    /// How the destinations do whose names contain `part`, by name, from the `from`-th on, and how many they are.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn status(
        &self,
        rooms: &Rooms,
        part: Option<&str>,
        from: usize,
        limit: usize,
    ) -> Result<(Vec<DestinationStatus>, usize), QueueError> {
        let read = self.db.begin();
        let mut names: std::collections::BTreeSet<_> =
            rooms.known_servers(&read, None, usize::MAX).await?.into_iter().collect();
        names.extend(self.destinations.all().iter().map(|destination| destination.name.clone()));
        names.remove(self.own());
        if let Some(part) = part {
            names.retain(|name| name.as_str().contains(part));
        }
        let total = names.len();
        let mut some = Vec::new();
        for name in names.into_iter().skip(from).take(limit) {
            some.push(self.status_of(&read, name).await?);
        }
        Ok((some, total))
    }

    /// How one destination does.
    ///
    /// # Errors
    /// [`QueueError::UnknownDestination`]; when storage fails.
    pub async fn destination(&self, rooms: &Rooms, name: &ServerName) -> Result<DestinationStatus, QueueError> {
        let read = self.db.begin();
        let known = self.destinations.find(name).is_some()
            || !read.scan(&STAYS, STAYS.under(&(name,))).first(1).await?.is_empty()
            || !rooms.rooms_of_server(&read, name).await?.is_empty();
        if !known || name == self.own() {
            return Err(QueueError::UnknownDestination);
        }
        self.status_of(&read, name.to_owned()).await
    }

    async fn status_of(&self, read: &impl Read, destination: OwnedServerName) -> Result<DestinationStatus, QueueError> {
        let newest = self.walked();
        let stored = read.peek(&CURSORS, &destination).await?;
        let known = self.destinations.find(&destination);
        let (acked, failing, waiting) = known.map_or((0, None, false), |known| {
            let state = known.state.lock();
            (state.acked, state.failing, state.has_work())
        });
        Ok(DestinationStatus {
            destination,
            failing_since: failing.map(|failing| failing.since),
            last_failure: failing.map(|failing| failing.last),
            pause: failing.map_or(0, |failing| failing.again.saturating_sub(failing.last)),
            acknowledged: stored.map_or(newest, |stored| stored.max(acked)),
            newest,
            waiting,
        })
    }

    /// Tries a failing destination at once and begins its pauses anew; answers whether it was failing.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn retry(&self, server: &ServerName) -> Result<bool, QueueError> {
        let Some(destination) = self.destinations.find(server) else { return Ok(false) };
        let now = self.clock.now();
        let row = {
            let state = destination.state.lock();
            let Some(failing) = state.failing else { return Ok(false) };
            Failing { times: 0, again: now, ..failing }
        };
        kv::retry(|| async {
            let mut tx = self.db.begin();
            tx.put(&FAILING, server, &row);
            tx.commit().await
        })
        .await?;
        let waits = {
            let mut state = destination.state.lock();
            if let Some(failing) = &mut state.failing {
                *failing = row;
            }
            state.urgent = true;
            state.stage == Stage::Ready
        };
        // It may wait for its turn among those that fail.
        if waits {
            self.make_ready(&destination);
        } else {
            self.offer(&destination, |_| {});
        }
        Ok(true)
    }
}
