//! How many requests of one server are answered at the same time.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use ruma::{OwnedServerName, ServerName};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The lines of all servers that have requests here; bounded by the number of these. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    at_once: usize,
    waiting: usize,
    lines: Arc<Mutex<HashMap<OwnedServerName, Line>>>,
}

#[derive(Debug)]
struct Line {
    /// Answered or waiting.
    present: usize,
    free: Arc<Semaphore>,
}

/// A place in the line of a server.
#[derive(Debug)]
struct Place {
    server: OwnedServerName,
    lines: Arc<Mutex<HashMap<OwnedServerName, Line>>>,
}

/// The right to be answered, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    // In this order: who comes next finds the line as it is.
    _permit: OwnedSemaphorePermit,
    _place: Place,
}

impl Turns {
    /// At most `at_once` requests per server are answered and `waiting` wait.
    pub(crate) fn new(at_once: usize, waiting: usize) -> Self {
        Self { at_once: at_once.max(1), waiting, lines: Arc::default() }
    }

    /// Waits for a turn; `None` when too many wait already.
    pub(crate) async fn wait(&self, server: &ServerName) -> Option<Turn> {
        let (place, free) = self.enter(server)?;
        let permit = free.acquire_owned().await.ok()?;
        Some(Turn { _permit: permit, _place: place })
    }

    fn enter(&self, server: &ServerName) -> Option<(Place, Arc<Semaphore>)> {
        let mut lines = self.lines.lock();
        let line = lines
            .entry(server.to_owned())
            .or_insert_with(|| Line { present: 0, free: Arc::new(Semaphore::new(self.at_once)) });
        if line.present >= self.at_once.saturating_add(self.waiting) {
            return None;
        }
        line.present += 1;
        Some((Place { server: server.to_owned(), lines: self.lines.clone() }, line.free.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get_mut(&self.server) {
            line.present = line.present.saturating_sub(1);
            if line.present == 0 {
                lines.remove(&self.server);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future::BoxFuture};
    use ruma::server_name;

    use super::*;

    fn waiting(turns: &Turns) -> BoxFuture<'static, Option<Turn>> {
        let turns = turns.clone();
        async move { turns.wait(server_name!("a.test")).await }.boxed()
    }

    #[test]
    fn who_waits_is_let_in_when_another_goes_and_the_rest_is_refused() {
        let turns = Turns::new(1, 1);
        let first = waiting(&turns).now_or_never().flatten();
        assert!(first.is_some());
        let mut second = waiting(&turns);
        assert!((&mut second).now_or_never().is_none());
        assert!(matches!(waiting(&turns).now_or_never(), Some(None)));
        drop(first);
        assert!(second.now_or_never().flatten().is_some());
    }

    #[test]
    fn servers_do_not_wait_for_each_other() {
        let turns = Turns::new(1, 0);
        let _first = waiting(&turns).now_or_never().flatten().unwrap();
        assert!(turns.wait(server_name!("b.test")).now_or_never().flatten().is_some());
    }

    #[test]
    fn a_server_without_requests_is_forgotten() {
        let turns = Turns::new(1, 1);
        let first = waiting(&turns).now_or_never().flatten();
        let mut gone = waiting(&turns);
        assert!((&mut gone).now_or_never().is_none());
        drop((gone, first));
        assert!(turns.lines.lock().is_empty());
    }
}
