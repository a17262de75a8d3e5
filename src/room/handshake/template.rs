//! Events that another server fills in, signs and sends back.

use event::Draft;
use ruma::{RoomId, RoomVersionId, ServerName, UserId, events::TimelineEventType};
use serde_json::{Map, Value, json, value::RawValue};

use super::Handshake;
use crate::{Entry, Membership, Outgoing, Result, RoomError, Rooms, create::raw};

/// An event without hashes and signatures.
#[derive(Debug, Clone)]
pub struct Template {
    /// The version of the room.
    pub version: RoomVersionId,
    /// The event.
    pub event: Box<RawValue>,
}

/// What whoever signs an event adds to it.
const SIGNED: [&str; 3] = ["event_id", "hashes", "signatures"];

impl Rooms {
    /// The event by which `user`, who is of `origin`, could do what is asked for. `versions`: those that `origin`
    /// knows, where it says so.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`], [`RoomError::Denied`], [`RoomError::IncompatibleVersion`];
    /// [`RoomError::UnableToAuthorise`] and [`RoomError::UnableToGrant`] for restricted rooms.
    pub async fn template(
        &self,
        room_id: &RoomId,
        user: &UserId,
        origin: &ServerName,
        handshake: Handshake,
        versions: Option<&[RoomVersionId]>,
    ) -> Result<Template> {
        let moment = self.moment();
        // Nothing is written: a transaction reads what is there already, though not yet on disk.
        let tx = self.db.begin();
        let room = self.open_to(&tx, room_id, origin).await?;
        let info = self.info(&tx, room).await?;
        if versions.is_some_and(|versions| !versions.contains(&info.version)) {
            return Err(RoomError::IncompatibleVersion(info.version.clone()));
        }
        let tip = self.tip(&tx, room).await?;
        let mut content = Map::from_iter([("membership".into(), json!(handshake.membership().as_str()))]);
        let now = self.member_in(&tx, room, &tip, user.as_str()).await?;
        if handshake == Handshake::Join && !matches!(now, Membership::Join | Membership::Invite | Membership::Ban) {
            match self.entry(&tx, room, &tip, user).await? {
                Entry::Unrestricted => {}
                Entry::By(member) => {
                    content.insert("join_authorised_via_users_server".into(), json!(member));
                }
                refused => return Err(refused.into_error()),
            }
        }
        let draft = Draft::state(TimelineEventType::RoomMember, user.as_str(), raw(&content)?);
        let out = Outgoing::new(user, draft);
        let pdu = self.build(&tx, room, &info, &tip, &out, moment).await?;
        let mut event: Map<String, Value> =
            serde_json::from_slice(pdu.json()).map_err(|error| RoomError::BadContent(error.to_string()))?;
        event.retain(|key, _| !SIGNED.contains(&key.as_str()));
        Ok(Template { version: info.version.clone(), event: raw(&event)? })
    }
}
