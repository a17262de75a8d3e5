use super::{DelayError, Delayed, Outcome, Result, schedule};
use crate::{
    Rooms,
    tables::{DELAYED, DELAYED_DUE},
};
use kv::Read;

/// What to do with an event that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DelayedAction {
    /// Begin to wait anew.
    Restart,
    /// Send it now.
    Send,
    /// Do not send it.
    Cancel,
}

impl Rooms {
    /// Changes what becomes of a delayed event. What has happened already may be asked for again.
    ///
    /// # Errors
    /// [`DelayError::Unknown`], [`DelayError::Ended`]; as [`Rooms::send`] when it is to be sent now.
    pub async fn change_delayed(&self, id: &str, action: DelayedAction) -> Result<()> {
        match action {
            DelayedAction::Send => self.send_delayed(id, true).await,
            DelayedAction::Cancel => self.cancel_delayed(id).await,
            DelayedAction::Restart => self.restart_delayed(id).await,
        }
    }

    async fn cancel_delayed(&self, id: &str) -> Result<()> {
        let now = self.clock.now();
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let row = tx.get(&DELAYED, id).await?.ok_or(DelayError::Unknown)?;
            match row.end.as_ref().map(|end| &end.outcome) {
                None => schedule::end(&mut tx, id, &row, now, Outcome::Cancelled),
                Some(Outcome::Cancelled) => {}
                Some(_) => return Err(DelayError::Ended),
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn restart_delayed(&self, id: &str) -> Result<()> {
        let now = self.clock.now();
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let row = tx.get(&DELAYED, id).await?.ok_or(DelayError::Unknown)?;
            if row.end.is_some() {
                return Err(DelayError::Ended);
            }
            tx.delete(&DELAYED_DUE, (row.due(), id));
            let row = Delayed { since: now, ..row };
            tx.put(&DELAYED_DUE, (row.due(), id), &());
            tx.put(&DELAYED, id, &row);
            Ok(tx.commit().await?)
        })
        .await
    }
}
