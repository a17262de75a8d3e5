//! Memberships in rooms that this server is not in: invites, knocks, and their end.

use std::sync::Arc;

use event::Pdu;
use kv::{Positions, Read, Stamp};
use ruma::{RoomId, RoomVersionId, UserId};
use serde_json::Value;

use crate::{
    Membership, Result, RoomError, RoomInfo, Rooms,
    membership::{Standing, membership_of},
    num::{EventNum, RoomNum},
    row::Verdict,
    tables::{EventRef, INVITE_STATES, OUTSIDE_LOG, ROOM_IDS, ROOMS, TIPS},
};

/// A member event of a local user in a room that this server is not in.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// The version of the room.
    pub version: RoomVersionId,
    /// The member event.
    pub event: Arc<Pdu>,
    /// Stripped state events of the room, JSON objects.
    pub state: Vec<String>,
}

impl Rooms {
    /// Records an invite, a knock, or the end of either for a local user. Does nothing if this server is in the room:
    /// there the event itself says so.
    ///
    /// # Errors
    /// [`RoomError::BadContent`] when the event is no member event.
    pub async fn record_outside(&self, room_id: &RoomId, invitation: &Invitation) -> Result<()> {
        let pdu = &invitation.event;
        let user = pdu.state_key.as_deref().and_then(|key| <&UserId>::try_from(key).ok());
        let (Some(user), Some(membership)) = (user, membership_of(pdu)) else {
            return Err(RoomError::BadContent("this is no member event".into()));
        };
        let fresh = self.fresh_num().await?;
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let room = tx.get(&ROOM_IDS, room_id).await?.unwrap_or(fresh);
            let mut tip = self.tip_or_new(&mut tx, room).await?;
            if !tip.extremities.is_empty() && self.server_is_in(&tx, room, self.server()).await? {
                return Ok::<_, RoomError>(());
            }
            let info = match tx.get(&ROOMS, room).await? {
                Some(info) => info,
                None => outside(room_id, invitation),
            };
            tx.put(&ROOM_IDS, room_id, &room);
            tx.put(&ROOMS, room, &info);
            let num = match self.locate(&tx, &pdu.event_id).await? {
                Some(at) => at.num,
                None => {
                    let num = EventNum(tip.next_event);
                    tip.next_event += 1;
                    self.write_outlier(&mut tx, room, &info, pdu, num, Verdict::Accepted).await?;
                    num
                }
            };
            let slot = tx.stamp();
            tx.put(&OUTSIDE_LOG, slot, &EventRef { room, num });
            let standing = Standing { user, membership, event: num, place: None };
            self.record(&mut tx, room, &mut tip, &standing, slot).await?;
            if !invitation.state.is_empty() {
                tx.put(&INVITE_STATES, (user, room), &invitation.state);
            }
            tx.put(&TIPS, room, &tip);
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Takes in a member event that ends the invite or the knock of a local user in a room that this server is not in.
    /// Answers whether there was one.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn end_outside(&self, room_id: &RoomId, pdu: &Arc<Pdu>) -> Result<bool> {
        let user = pdu.state_key.as_deref().and_then(|key| <&UserId>::try_from(key).ok());
        let Some(user) = user.filter(|user| user.server_name() == self.server()) else { return Ok(false) };
        if !matches!(membership_of(pdu), Some(Membership::Leave | Membership::Ban)) {
            return Ok(false);
        }
        let view = self.db.view();
        let room = self.num(&view, room_id).await?;
        let Some(part) = self.user_room(&view, user, room).await?.map(|part| part.value) else { return Ok(false) };
        if part.place.is_some() || !matches!(part.membership, Membership::Invite | Membership::Knock) {
            return Ok(false);
        }
        // Who made the invite may take it back; of anybody else the rules, which cannot be tried without the room's state,
        // might not let it pass. A knock is answered by whoever is in the room, and can be repeated.
        let invite = self.row(&view, room, part.event).await?;
        if part.membership == Membership::Invite && pdu.sender != *user && invite.event.sender() != pdu.sender.as_str()
        {
            return Ok(false);
        }
        if self.ends_an_older_one(&view, room, user, part.event, pdu).await? {
            return Ok(false);
        }
        let version = self.info(&view, room).await?.version.clone();
        self.record_outside(room_id, &Invitation { version, event: pdu.clone(), state: Vec::new() }).await?;
        Ok(true)
    }

    /// Whether `pdu` cites an older member event of `user` than `current`: it ended what that began, and comes late.
    async fn ends_an_older_one(
        &self,
        read: &impl Read,
        room: RoomNum,
        user: &UserId,
        current: EventNum,
        pdu: &Pdu,
    ) -> Result<bool> {
        for id in &pdu.auth_events {
            let Some(at) = self.locate(read, id).await?.filter(|at| at.room == room && at.num < current) else {
                continue;
            };
            let row = self.row(read, room, at.num).await?;
            if row.event.kind() == "m.room.member" && row.event.state_key() == Some(user.as_str()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Forgets up to `upto` where in the stream members of rooms that this server is not in changed, for those who follow
    /// it have walked past that.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn trim_outside(&self, upto: &Positions) -> kv::Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin().relaxed();
            let mut any = false;
            for (writer, n) in upto.iter() {
                let stamp = |n| Stamp { writer, n };
                let passed = OUTSIDE_LOG.between(&stamp(0), &stamp(n.saturating_add(1)));
                if tx.scan(&OUTSIDE_LOG, passed.clone()).by(1).next().await?.is_some() {
                    tx.clear_range(passed);
                    any = true;
                }
            }
            if any { tx.commit().await } else { Ok(()) }
        })
        .await
    }

    /// What a user outside of a room was shown of it by another server: JSON objects.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn outside_state(&self, read: &impl Read, room: RoomNum, user: &UserId) -> Result<Option<Vec<String>>> {
        Ok(read.peek(&INVITE_STATES, (user, room)).await?)
    }
}

/// What can be said of a room by its stripped state.
fn outside(room_id: &RoomId, invitation: &Invitation) -> RoomInfo {
    let create = invitation.state.iter().find_map(|json| {
        let event: Value = serde_json::from_str(json).ok()?;
        (event.get("type")?.as_str()? == "m.room.create").then_some(event)
    });
    let text = |path: &str| create.as_ref().and_then(|event| event.pointer(path)?.as_str().map(str::to_owned));
    RoomInfo {
        id: room_id.to_owned(),
        version: invitation.version.clone(),
        kind: text("/content/type"),
        creator: text("/sender")
            .and_then(|sender| UserId::parse(sender).ok())
            .unwrap_or_else(|| invitation.event.sender.clone()),
        complete: false,
    }
}
