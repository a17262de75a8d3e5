//! Delayed events that the policy server of their room has to sign: it may be slow, and nobody else waits for that.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use kv::Read;
use ruma::OwnedRoomId;

use super::{DelayError, Outcome, Result, schedule};
use crate::{Outgoing, PolicyServer, RoomError, Rooms, num::RoomNum, tables::DELAYED};

/// How long the events of one room may take in one go, longer than a policy server is waited for: the rest comes again.
const PATIENCE: Duration = Duration::from_secs(15);
/// Rooms whose policy servers are asked at a time.
const AT_ONCE: usize = 64;

/// Delayed events by their rooms.
pub(super) type ToSign = BTreeMap<OwnedRoomId, Vec<String>>;

impl Rooms {
    /// The room of a delayed event, if that has a policy server.
    pub(super) async fn room_to_ask(&self, id: &str) -> kv::Result<Option<OwnedRoomId>> {
        let view = self.db.view();
        let Some(row) = view.get(&DELAYED, id).await? else { return Ok(None) };
        let policy = match self.num(&view, &row.room).await {
            Ok(room) => self.policy_server(&view, room).await,
            Err(error) => Err(error),
        };
        match policy {
            Ok(policy) => Ok(policy.map(|_| row.room)),
            Err(RoomError::Store(error)) => Err(error),
            // Whatever it is, it is found again when the event is sent.
            Err(_) => Ok(None),
        }
    }

    /// Sends what is due, one after the other in each room.
    pub(super) async fn send_signed(&self, all: ToSign) -> kv::Result<()> {
        let rooms = stream::iter(all.into_values()).map(async |ids| {
            let all = async {
                for id in &ids {
                    self.try_delayed(id).await?;
                }
                Ok(())
            };
            tokio::time::timeout(PATIENCE, all).await.unwrap_or(Ok(()))
        });
        rooms.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// As [`Rooms::append_delayed`], with the signature of the room's policy server.
    pub(super) async fn send_delayed_signed(
        &self,
        id: &str,
        room: RoomNum,
        policy: &PolicyServer,
        out: &Outgoing,
        early: bool,
    ) -> Result<()> {
        let moment = self.moment();
        let row = self.db.view().get(&DELAYED, id).await?.ok_or(DelayError::Unknown)?;
        match row.end.as_ref().map(|end| &end.outcome) {
            None => {}
            Some(Outcome::Sent(_)) => return Ok(()),
            Some(_) => return Err(DelayError::Ended),
        }
        if !early && row.due() > moment.now {
            return Ok(());
        }
        let event_id = self.send_recommended(room, policy, out, moment).await?;
        kv::retry(|| async {
            let mut tx = self.db.begin();
            if let Some(row) = tx.get(&DELAYED, id).await?.filter(|row| row.end.is_none()) {
                schedule::end(&mut tx, id, &row, moment.now, Outcome::Sent(event_id.clone()));
            }
            tx.commit().await
        })
        .await?;
        Ok(())
    }
}
