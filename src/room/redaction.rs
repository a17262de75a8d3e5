//! Removing what events say. Client-server API, "Redactions"; room versions, "Handling redactions".

use event::{Draft, Pdu, PowerLevels, StoredEvent, UserPowerLevel, may_redact};
use kv::{Read, Tx};
use ruma::{EventId, OwnedEventId, RoomId, UserId, events::TimelineEventType};
use serde_json::{json, value::to_raw_value};

use crate::{
    EventRow, Once, Outgoing, Result, RoomError, Rooms, Tip,
    lookup::rules,
    num::{EventNum, RoomNum},
    relations::Waits,
    state::Root,
    tables::{EVENTS, HELD, WAITING},
};

impl Rooms {
    /// Redacts an event for a local user.
    ///
    /// # Errors
    /// As [`Rooms::send`]; [`RoomError::Denied`] when the event is not the sender's own and they lack the power.
    pub async fn redact(
        &self,
        room: &RoomId,
        sender: &UserId,
        target: &EventId,
        reason: Option<&str>,
        once: Option<Once>,
    ) -> Result<OwnedEventId> {
        let content = reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
        let content = to_raw_value(&content).map_err(|error| RoomError::BadContent(error.to_string()))?;
        let draft =
            Draft { redacts: Some(target.to_owned()), ..Draft::message(TimelineEventType::RoomRedaction, content) };
        self.send(room, &Outgoing { once, ..Outgoing::new(sender, draft) }).await
    }

    /// Whether `user` sent this event.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn is_sender(&self, room: &RoomId, event: &EventId, user: &UserId) -> Result<bool> {
        let view = self.db.view();
        let Some(at) = self.locate(&view, event).await? else { return Ok(false) };
        let row = self.row(&view, at.room, at.num).await?;
        Ok(row.event.room_id() == room && row.event.sender() == user)
    }

    /// Refuses a redaction that a local user may not send, though other servers would let it pass because the
    /// target is of this server.
    pub(crate) async fn check_redaction(&self, read: &impl Read, room: RoomNum, tip: &Tip, pdu: &Pdu) -> Result<()> {
        let Some(target) = &pdu.redacts else {
            return Err(RoomError::BadContent("a redaction names the event that it redacts".into()));
        };
        let Some(at) = self.locate(read, target).await? else { return Ok(()) };
        if at.room != room {
            return Err(RoomError::InvalidParam("the event to redact is in another room".into()));
        }
        let row = self.row(read, room, at.num).await?;
        match row.event.kind() {
            "m.room.create" => return Err(RoomError::Denied("a create event cannot be redacted".into())),
            // What is left of it would keep every server out.
            "m.room.server_acl" => return Err(RoomError::Denied("a server ACL cannot be redacted".into())),
            _ => {}
        }
        let power = self.power_levels(read, room, tip.state).await?;
        if row.event.sender() == pdu.sender || power.user(&pdu.sender) >= UserPowerLevel::Int(power.redact()) {
            return Ok(());
        }
        Err(RoomError::Denied("you may not redact events of others".into()))
    }

    /// The power levels in the state `root`.
    ///
    /// # Errors
    /// [`RoomError::Denied`] if that state has no valid create event.
    pub async fn power_levels(&self, read: &impl Read, room: RoomNum, root: Root) -> Result<PowerLevels> {
        let info = self.info(read, room).await?;
        let create = self.state_event(read, room, root, "m.room.create", "").await?;
        let create = create.ok_or_else(|| RoomError::Denied("no create event".into()))?;
        let levels = self.state_event(read, room, root, "m.room.power_levels", "").await?;
        Ok(PowerLevels::new(create, levels, &rules(&info.version)?)?)
    }

    /// Lets a new redaction take effect, or notes that it waits.
    pub(crate) async fn settle_redaction(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        num: EventNum,
        row: &EventRow,
    ) -> Result<()> {
        let Some(target) = row.event.redacts().and_then(|id| <&EventId>::try_from(id).ok()) else {
            tx.put(&HELD, (room, num), &());
            return Ok(());
        };
        match self.locate(tx, target).await? {
            Some(at) if at.room == room => self.redact_if_allowed(tx, room, num, row, at.num).await,
            Some(_) => {
                tx.put(&HELD, (room, num), &());
                Ok(())
            }
            None => {
                tx.put(&HELD, (room, num), &());
                tx.put(&WAITING, (room, target, num), &Waits::Redaction);
                Ok(())
            }
        }
    }

    /// Applies the redaction `num` to `target` if its sender may, and holds it back from clients otherwise.
    pub(crate) async fn redact_if_allowed(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        num: EventNum,
        redaction: &EventRow,
        target: EventNum,
    ) -> Result<()> {
        let info = self.info(tx, room).await?;
        let rules = rules(&info.version)?;
        let Some(row) = tx.get(&EVENTS, (room, target)).await? else { return Ok(()) };
        let (pdu, whole) = (redaction.event.to_pdu(&rules)?, row.event.to_pdu(&rules)?);
        let power = match self.power_levels(tx, room, redaction.meta.before).await {
            Ok(power) => power,
            Err(RoomError::Denied(_)) => return self.hold(tx, room, num),
            Err(error) => return Err(error),
        };
        if !may_redact(&pdu, &whole, &power, &rules) {
            return self.hold(tx, room, num);
        }
        tx.delete(&HELD, (room, num));
        if row.meta.redacted_by.is_some() {
            return Ok(());
        }
        self.unlink(tx, room, target, &row).await?;
        let event = StoredEvent::from_pdu(&whole.redact(&rules)?, &rules)
            .map_err(|error| kv::Error::corrupt(EVENTS.name(), error))?;
        let mut meta = row.meta;
        meta.redacted_by = Some(num);
        tx.put(&EVENTS, (room, target), &EventRow { meta, event });
        self.caches.forget_pdu(room, target);
        Ok(())
    }

    #[allow(clippy::unnecessary_wraps, reason = "the last step of those who call it")]
    fn hold(&self, tx: &mut Tx, room: RoomNum, num: EventNum) -> Result<()> {
        tx.put(&HELD, (room, num), &());
        Ok(())
    }
}
