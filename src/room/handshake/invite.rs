//! Invites of users of other servers: their server signs the event before the room gets it.

use std::sync::Arc;

use bytes::Bytes;
use event::{Draft, Pdu};
use ruma::{RoomId, RoomVersionId, UserId, events::TimelineEventType};
use serde_json::{Map, Value};

use crate::{Ingested, MemberChange, Outgoing, Result, RoomError, Rooms, create::raw, lookup::rules};

/// An invite that is not part of the room yet.
#[derive(Debug, Clone)]
pub struct DraftedInvite {
    /// The version of the room.
    pub version: RoomVersionId,
    /// The event, signed by us.
    pub event: Arc<Pdu>,
    /// What the invited user is shown of the room, in federation format.
    pub state: Vec<Bytes>,
}

impl Rooms {
    /// Builds and authorizes an invite without adding it to the room. `None` when the target is invited like that
    /// already.
    ///
    /// # Errors
    /// As [`Rooms::change_member`].
    pub async fn draft_invite(&self, room_id: &RoomId, change: &MemberChange) -> Result<Option<DraftedInvite>> {
        let tx = self.db.begin();
        let room = self.num(&tx, room_id).await?;
        let tip = self.tip(&tx, room).await?;
        match self.member_event(&tx, room, &tip, change).await? {
            Some(out) => Ok(Some(self.draft_of(room_id, &out).await?)),
            None => Ok(None),
        }
    }

    /// As [`Rooms::draft_invite`], with a content that somebody else wrote: that of an invite by a third party.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`], [`RoomError::Denied`]; [`RoomError::NotRecommended`] and
    /// [`RoomError::PolicyUnavailable`] for rooms with a policy server.
    pub async fn draft_invite_with(
        &self,
        room_id: &RoomId,
        sender: &UserId,
        target: &UserId,
        content: &Map<String, Value>,
    ) -> Result<DraftedInvite> {
        let draft = Draft::state(TimelineEventType::RoomMember, target.as_str(), raw(content)?);
        self.draft_of(room_id, &Outgoing::new(sender, draft)).await
    }

    async fn draft_of(&self, room_id: &RoomId, out: &Outgoing) -> Result<DraftedInvite> {
        let moment = self.moment();
        let tx = self.db.begin();
        let room = self.num(&tx, room_id).await?;
        let info = self.info(&tx, room).await?;
        let tip = self.tip(&tx, room).await?;
        let mut event = self.build(&tx, room, &info, &tip, out, moment).await?;
        let state = self.shown_events(&tx, room, tip.state, Some(&out.sender)).await?;
        let policy = self.policy_server(&tx, room).await?;
        drop(tx);
        if let Some(policy) = policy {
            event = self.recommended(&policy, &rules(&info.version)?, &event).await?;
        }
        Ok(DraftedInvite { version: info.version.clone(), event, state })
    }

    /// Adds a drafted invite to the room, as the invited user's server signed it.
    ///
    /// # Errors
    /// [`RoomError::InvalidState`] when that is another event; [`RoomError::Denied`] when the room does not allow the
    /// invite any more.
    pub async fn add_invite(&self, drafted: &DraftedInvite, signed: &Arc<Pdu>) -> Result<()> {
        let rules = rules(&drafted.version)?;
        let hash = |pdu: &Pdu| event::reference_hash(pdu.json(), &rules);
        if signed.redacted || hash(signed) != hash(&drafted.event) {
            return Err(RoomError::InvalidState("the other server changed the invite".into()));
        }
        match self.ingest(&signed.room_id, signed, None).await? {
            Ingested::Known | Ingested::Accepted(_) => Ok(()),
            Ingested::SoftFailed(reason) | Ingested::Rejected(reason) => Err(RoomError::Denied(reason)),
            Ingested::Missing(_) => Err(RoomError::UnknownEvent),
        }
    }
}
