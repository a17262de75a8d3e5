//! Whose events newcomers do not see: those who asked for it when their account ended. Client-server API, "Account
//! deactivation": who could see them before still can, and nothing is redacted elsewhere.

use std::{collections::HashSet, sync::Arc};

use event::StoredEvent;
use kv::Read;
use ruma::{OwnedUserId, UserId};
use tokio::sync::RwLock;

use crate::{
    EventRow, Result, Rooms,
    lookup::rules,
    num::RoomNum,
    tables::{ERASED, EVENTS},
};

/// All of them, which are few, once they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Erased(RwLock<Option<Known>>);

type Known = Arc<HashSet<OwnedUserId>>;

/// Whether `sender` is one of `erased`.
pub(crate) fn is_in(erased: &HashSet<OwnedUserId>, sender: &str) -> bool {
    !erased.is_empty() && <&UserId>::try_from(sender).is_ok_and(|sender| erased.contains(sender))
}

impl Rooms {
    /// Keeps what the events of `user` say from all who were not in the room when they were sent.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn erase(&self, user: &UserId) -> Result<()> {
        // Held meanwhile, so that nobody remembers what is not all any more.
        let mut known = self.erased.0.write().await;
        kv::retry(|| async {
            let mut tx = self.db.begin();
            tx.put(&ERASED, user, &());
            tx.commit().await
        })
        .await?;
        *known = None;
        Ok(())
    }

    /// Whose events newcomers do not see.
    pub(crate) async fn erased(&self) -> Result<Known> {
        if let Some(known) = &*self.erased.0.read().await {
            return Ok(Arc::clone(known));
        }
        let mut known = self.erased.0.write().await;
        let rows = self.db.view().scan(&ERASED, ERASED.all()).collect().await?;
        let users = Known::new(rows.into_iter().map(|(user, ())| user).collect());
        *known = Some(Arc::clone(&users));
        Ok(users)
    }

    /// The event as it would be were it redacted.
    pub(crate) async fn emptied(&self, read: &impl Read, room: RoomNum, row: EventRow) -> Result<EventRow> {
        if row.event.redacted() {
            return Ok(row);
        }
        let rules = rules(&self.info(read, room).await?.version)?;
        let event = StoredEvent::from_pdu(&row.event.to_pdu(&rules)?.redact(&rules)?, &rules)
            .map_err(|error| kv::Error::corrupt(EVENTS.name(), error))?;
        Ok(EventRow { event, ..row })
    }
}
