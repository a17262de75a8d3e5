//! What application services are told: the events that interest them, in order and without loss, what happens in
//! passing, and messages to the devices of their users. Application Service API, "Pushing events".

mod build;
mod deliver;
mod interest;
mod mail;
mod passing;
mod walk;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use base::Clock;
use e2ee::{Keys, Mailbox};
use ephemeral::{Presence, Receipts, Typing};
use kv::{Announcement, Observer, Read, Topic};
use room::Rooms;
use tokio::task::JoinSet;

use crate::{
    Appservices, Result,
    service::Service,
    tables::{CURSORS, Cursor, IN_FLIGHT},
};

pub(crate) use passing::Passing;

/// The pause after storage failed.
const BROKEN: Duration = Duration::from_secs(5);

/// Tells application services what happens. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Whom.
    pub appservices: Appservices,
    /// Where events are.
    pub rooms: Rooms,
    /// Who types.
    pub typing: Typing,
    /// Who has read how far.
    pub receipts: Receipts,
    /// Who is there.
    pub presence: Presence,
    /// Messages to devices.
    pub mailbox: Mailbox,
    /// Keys of devices.
    pub keys: Keys,
    /// Tells the time.
    pub clock: Clock,
}

/// Wakes those whom a change may concern.
struct Bell(Vec<Arc<Service>>);

impl Observer for Bell {
    fn record(&self, _: &[Announcement]) {}

    // Only now: who reads what was announced before would not find it yet, and not look again.
    fn wake(&self, changes: &[Announcement]) {
        let user = |change: &'_ Announcement| match &change.topic {
            Topic::User(user) => Some(user.clone()),
            _ => None,
        };
        let users: BTreeSet<_> = changes.iter().filter_map(user).collect();
        let matters = changes.iter().any(|change| !matches!(change.topic, Topic::Presence(_)));
        for service in &self.0 {
            if service.registration.ephemeral {
                let its = users.iter().filter(|user| service.registration.owns_user(user));
                let mut its = its.cloned().peekable();
                if its.peek().is_some() {
                    service.state.lock().mail.extend(its);
                }
            }
            if matters {
                service.news.notify_one();
            }
        }
    }
}

impl Outgoing {
    /// Tells each application service what it has missed and what comes. Ends only with the process.
    pub async fn run(self) {
        let services = self.appservices.services();
        let reached: Vec<_> = services.iter().filter(|service| service.registration.url.is_some()).cloned().collect();
        while let Err(error) = self.forget_others(&reached).await {
            tracing::error!(%error, "cursors of application services were not read; trying again");
            tokio::time::sleep(BROKEN).await;
        }
        if reached.is_empty() {
            return;
        }
        self.appservices.db.observe(Arc::new(Bell(reached.clone())));
        // Ended with this function.
        let mut tasks = JoinSet::new();
        tasks.spawn(self.clone().follow_passing(reached.clone()));
        for service in reached {
            tasks.spawn(self.clone().serve(service));
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Lets go of what all application services have walked past and nobody else reads. Idempotent; run it every day.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn sweep(&self) -> kv::Result<()> {
        let view = self.appservices.db.view();
        let mut passed = view.positions().clone();
        for (_, cursor) in view.scan(&CURSORS, CURSORS.all()).collect().await? {
            passed = passed.iter().map(|(writer, n)| (writer, n.min(cursor.upto.of(writer)))).collect();
        }
        self.rooms.trim_outside(&passed).await
    }

    /// Forgets where application services stood that are no longer registered: they would get all that happened
    /// since, should they come back. Those that are new begin here.
    async fn forget_others(&self, reached: &[Arc<Service>]) -> Result<()> {
        let now = self.appservices.db.positions();
        kv::retry(|| async {
            let mut tx = self.appservices.db.begin();
            let known = tx.scan(&CURSORS, CURSORS.all()).collect().await?;
            for (id, _) in &known {
                if !reached.iter().any(|service| service.registration.id == *id) {
                    tx.delete(&CURSORS, id);
                    tx.delete(&IN_FLIGHT, id);
                }
            }
            for service in reached {
                let id = &service.registration.id;
                if !known.iter().any(|(known, _)| known == id) {
                    tx.put(&CURSORS, id, &Cursor { upto: now.clone() });
                }
            }
            tx.commit().await?;
            Ok(())
        })
        .await
    }
}
