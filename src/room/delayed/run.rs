use std::time::Duration;

use kv::Read;

use super::{DelayError, Delayed, Outcome, Result, schedule, signed::ToSign};
use crate::{
    Once, Outgoing, RoomError, Rooms,
    tables::{DELAYED, DELAYED_DUE, DELAYED_TXNS},
};

/// Most events that are looked at in one go.
const AT_ONCE: usize = 100;
/// Another node may have delayed an event: the longest time to go by what is known here.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// The pause after a failure of storage.
const PAUSE: Duration = Duration::from_secs(1);

impl Rooms {
    /// Sends what is due, for as long as the server runs.
    pub async fn run_delayed(self) {
        loop {
            let wait = match self.send_due().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(%error, "delayed events were not sent and will be tried again");
                    PAUSE
                }
            };
            let _ = tokio::time::timeout(wait, self.alarm.notified()).await;
        }
    }

    /// Sends what is due and forgets what ended long ago; answers how long to wait for the next.
    ///
    /// # Errors
    /// When storage fails; what is left is due still.
    pub async fn send_due(&self) -> kv::Result<Duration> {
        let (mut range, mut to_sign) = (DELAYED_DUE.all(), ToSign::new());
        let wait = loop {
            let now = self.clock.now();
            let view = self.db.view();
            let next = view.scan(&DELAYED_DUE, range).by(AT_ONCE).first(AT_ONCE).await?;
            drop(view);
            let due = next.iter().take_while(|((at, _), ())| *at <= now).count();
            for ((_, id), ()) in next.iter().take(due) {
                self.handle_due(id, &mut to_sign).await?;
            }
            match (next.get(due), next.last()) {
                (Some(((at, _), ())), _) => break Duration::from_millis(at.saturating_sub(now)).min(LOOK_AGAIN),
                (None, Some((last, ()))) if due == AT_ONCE => range = DELAYED_DUE.after(&(), last),
                (None, _) => break LOOK_AGAIN,
            }
        };
        if to_sign.is_empty() {
            return Ok(wait);
        }
        self.send_signed(to_sign).await?;
        // That took its time.
        Ok(Duration::ZERO)
    }

    /// Sends one that is due, or forgets it; one that others have to sign is put to those.
    async fn handle_due(&self, id: &str, to_sign: &mut ToSign) -> kv::Result<()> {
        if self.forget_delayed(id).await? {
            return Ok(());
        }
        match self.room_to_ask(id).await? {
            Some(room) => to_sign.entry(room).or_default().push(id.to_owned()),
            None => self.try_delayed(id).await?,
        }
        Ok(())
    }

    /// Sends one if it is due, and says so if it cannot be sent.
    pub(super) async fn try_delayed(&self, id: &str) -> kv::Result<()> {
        match self.send_delayed(id, false).await {
            Err(DelayError::Store(error) | DelayError::Room(RoomError::Store(error))) => Err(error),
            Err(error) => {
                tracing::info!(%error, "a delayed event was not sent");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Removes an event whose waiting ended long ago; answers whether that was so.
    async fn forget_delayed(&self, id: &str) -> kv::Result<bool> {
        let now = self.clock.now();
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let Some(row) = tx.get(&DELAYED, id).await?.filter(|row| row.end.is_some() && row.due() <= now) else {
                return Ok(false);
            };
            if let Some((device, scope)) = &row.once {
                tx.delete(&DELAYED_TXNS, (&*row.user, &**device, scope.as_str()));
            }
            tx.delete(&DELAYED_DUE, (row.due(), id));
            tx.delete(&DELAYED, id);
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Sends a delayed event if it is due, or `early`. One that cannot be sent ends.
    pub(super) async fn send_delayed(&self, id: &str, early: bool) -> Result<()> {
        let row = self.db.view().get(&DELAYED, id).await?.ok_or(DelayError::Unknown)?;
        let error = match self.append_delayed(id, &row, early).await {
            Err(DelayError::Room(error)) if !matches!(error, RoomError::Store(_)) => error,
            other => return other,
        };
        let forbidden = matches!(error, RoomError::Denied(_) | RoomError::NotJoined);
        let failed = Outcome::Failed { forbidden, error: error.to_string() };
        let now = self.clock.now();
        kv::retry(|| async {
            let mut tx = self.db.begin();
            if let Some(row) = tx.get(&DELAYED, id).await?.filter(|row| row.end.is_none()) {
                schedule::end(&mut tx, id, &row, now, failed.clone());
            }
            tx.commit().await
        })
        .await?;
        Err(error.into())
    }

    async fn append_delayed(&self, id: &str, row: &Delayed, early: bool) -> Result<()> {
        let room = self.num(&self.db.view(), &row.room).await?;
        let mut out = Outgoing::new(&row.user, row.draft()?);
        if let Some(policy) = self.policy_for(room, &out).await? {
            // If it was sent, and then not noted that it was, it is not sent again.
            out.once = Some(Once { device: "delayed".into(), id: id.into() });
            return self.send_delayed_signed(id, room, &policy, &out, early).await;
        }
        let moment = self.moment();
        let turn = self.turns.of(room).await;
        let pending = kv::retry(|| async {
            let mut tx = self.db.begin();
            let row = tx.get(&DELAYED, id).await?.ok_or(DelayError::Unknown)?;
            match row.end.as_ref().map(|end| &end.outcome) {
                // It may have begun to wait anew.
                None if early || row.due() <= moment.now => {}
                None | Some(Outcome::Sent(_)) => return Ok::<_, DelayError>(tx.submit().await?),
                Some(_) => return Err(DelayError::Ended),
            }
            let mut tip = self.tip(&tx, room).await?;
            let event_id = match self.stands_already(&tx, room, &tip, &out).await? {
                Some(event_id) => event_id,
                None => self.compose(&mut tx, room, &mut tip, &out, moment).await?.event_id.clone(),
            };
            schedule::end(&mut tx, id, &row, moment.now, Outcome::Sent(event_id));
            Ok(tx.submit().await?)
        })
        .await?;
        drop(turn);
        Ok(pending.durable().await?)
    }
}
