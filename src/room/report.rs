//! What users report to those who run the server.

use kv::Read;
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize};

use crate::{Membership, Result, RoomError, Rooms, tables::REPORTS};

/// Longest reason in bytes.
const MAX_REASON: usize = 8192;

/// A reported room, event or user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Who reports.
    pub reporter: OwnedUserId,
    /// The reported room, or the one of the event.
    pub room: Option<OwnedRoomId>,
    /// The reported event.
    pub event: Option<OwnedEventId>,
    /// The reported user.
    pub user: Option<OwnedUserId>,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since the Unix epoch.
    pub at: u64,
}
kv::value!(Report);

impl Rooms {
    /// Reports an event of a room that the reporter is in.
    ///
    /// # Errors
    /// [`RoomError::UnknownEvent`] when they are not, or there is no such event; [`RoomError::InvalidParam`].
    pub async fn report_event(&self, reporter: &UserId, room_id: &RoomId, event: &EventId, reason: &str) -> Result<()> {
        let view = self.db.view();
        let room = self.num(&view, room_id).await.map_err(|_| RoomError::UnknownEvent)?;
        if self.membership(&view, reporter, room).await? != Membership::Join {
            return Err(RoomError::UnknownEvent);
        }
        self.event_num(&view, room, event).await?;
        self.report(self.filed(reporter, Some(room_id), Some(event), reason)).await
    }

    /// Reports a room, whether the reporter is in it or not.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`], [`RoomError::InvalidParam`].
    pub async fn report_room(&self, reporter: &UserId, room: &RoomId, reason: &str) -> Result<()> {
        self.num(&self.db.view(), room).await?;
        self.report(self.filed(reporter, Some(room), None, reason)).await
    }

    /// Reports a user, whether they are known or not.
    ///
    /// # Errors
    /// [`RoomError::InvalidParam`].
    pub async fn report_user(&self, reporter: &UserId, user: &UserId, reason: &str) -> Result<()> {
        self.report(Report { user: Some(user.to_owned()), ..self.filed(reporter, None, None, reason) }).await
    }

    /// All reports, the oldest first.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn reports(&self, read: &impl Read) -> Result<Vec<Report>> {
        Ok(read.scan(&REPORTS, REPORTS.all()).collect().await?.into_iter().map(|(_, report)| report).collect())
    }

    fn filed(&self, reporter: &UserId, room: Option<&RoomId>, event: Option<&EventId>, reason: &str) -> Report {
        Report {
            reporter: reporter.to_owned(),
            room: room.map(ToOwned::to_owned),
            event: event.map(ToOwned::to_owned),
            user: None,
            reason: reason.to_owned(),
            at: self.clock.now(),
        }
    }

    async fn report(&self, report: Report) -> Result<()> {
        if report.reason.len() > MAX_REASON {
            return Err(RoomError::InvalidParam(format!("a reason has at most {MAX_REASON} bytes")));
        }
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let slot = tx.stamp();
            tx.put(&REPORTS, slot, &report);
            tx.commit().await
        })
        .await?;
        Ok(())
    }
}
