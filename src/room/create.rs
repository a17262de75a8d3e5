//! Creating a room: all of its first events in one transaction.

use std::sync::Arc;

use event::{Draft, Pdu, RoomVersionRules};
use kv::{Read, Tx};
use ruma::{
    OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, events::TimelineEventType,
    room_version_rules::RoomIdFormatVersion,
};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    Outgoing, Result, RoomError, RoomInfo, Rooms, Tip,
    compose::{Moment, timestamp},
    directory,
    lookup::rules,
    num::RoomNum,
    tables::{ROOM_IDS, ROOMS},
};

mod content;

/// Which join rules, history visibility and guest access a new room gets. Client-server API, "Creation".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// By invitation; history for members.
    PrivateChat,
    /// As private, and invited users get the creator's power.
    TrustedPrivateChat,
    /// Open to everybody.
    PublicChat,
}

/// The name and picture that a member event carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberProfile {
    /// `displayname`
    pub displayname: Option<String>,
    /// `avatar_url`
    pub avatar_url: Option<String>,
}

/// A state event that a new room begins with.
#[derive(Debug, Clone)]
pub struct InitialState {
    /// Event type.
    pub kind: TimelineEventType,
    /// State key.
    pub state_key: String,
    /// Content, a JSON object.
    pub content: Box<RawValue>,
}

/// A room to create.
#[derive(Debug, Clone)]
pub struct CreateRoom {
    /// Who creates it.
    pub creator: OwnedUserId,
    /// Their name and picture.
    pub profile: MemberProfile,
    /// Room version; the configured one if `None`.
    pub version: Option<RoomVersionId>,
    /// More content for the create event, such as `type`, `m.federate` and `additional_creators`.
    pub creation_content: Map<String, Value>,
    /// Rules that the room begins with.
    pub preset: Preset,
    /// Whether the room directory lists it.
    pub published: bool,
    /// An alias of this server.
    pub alias: Option<OwnedRoomAliasId>,
    /// Name.
    pub name: Option<String>,
    /// Topic.
    pub topic: Option<String>,
    /// Replaces single power levels.
    pub power_levels: Map<String, Value>,
    /// State that overrides what the preset gives.
    pub initial_state: Vec<InitialState>,
    /// Who is invited, with their names and pictures. Users of other servers are invited afterwards.
    pub invites: Vec<(OwnedUserId, MemberProfile)>,
    /// Marks the invites as those of a direct chat.
    pub is_direct: bool,
}

impl Rooms {
    /// Creates a room with all of its first events, or nothing.
    ///
    /// # Errors
    /// [`RoomError::UnsupportedVersion`], [`RoomError::AliasInUse`], [`RoomError::InvalidState`] when what was
    /// asked for contradicts the rules.
    pub async fn create(&self, new: &CreateRoom) -> Result<OwnedRoomId> {
        let version = new.version.clone().unwrap_or_else(|| self.default_version().clone());
        let rules = rules(&version)?;
        let room = self.fresh_num().await?;
        let opaque = base::random::alphanumeric(18);
        let moment = self.moment();
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let create = self.create_event(new, &version, &rules, &opaque, moment)?;
            let info = self.register(&mut tx, room, &version, new, &create).await?;
            let mut tip = Tip::empty();
            self.append(&mut tx, room, &info, &mut tip, &create, None).await?;
            for draft in content::drafts(new, &rules)? {
                let out = Outgoing::new(&new.creator, draft);
                self.compose(&mut tx, room, &mut tip, &out, moment).await.map_err(contradiction)?;
            }
            if let Some(alias) = &new.alias {
                directory::claim(&mut tx, alias, &info.id, &new.creator).await?;
            }
            if new.published {
                directory::publish(&mut tx, room, true);
            }
            tx.commit().await?;
            Ok(info.id)
        })
        .await
    }

    fn create_event(
        &self,
        new: &CreateRoom,
        version: &RoomVersionId,
        rules: &RoomVersionRules,
        opaque: &str,
        moment: Moment,
    ) -> Result<Arc<Pdu>> {
        let mut content = new.creation_content.clone();
        content.insert("room_version".into(), json!(version));
        if !rules.authorization.use_room_create_sender {
            content.insert("creator".into(), json!(new.creator));
        }
        content::add_creators(&mut content, new, rules);
        let room_id = match rules.room_id_format {
            RoomIdFormatVersion::V1 => Some(self.room_id(opaque)?),
            _ => None,
        };
        let place = event::Place {
            room_id: room_id.as_deref(),
            sender: &new.creator,
            prev_events: &[],
            auth_events: &[],
            hashes: &[],
            depth: 1,
            origin_server_ts: timestamp(moment.now),
            random: moment.random,
        };
        let draft = Draft::state(TimelineEventType::RoomCreate, "", content::raw(&content)?);
        let pdu = draft.build(&place, &self.signer, rules)?;
        event::check_auth_events(&pdu, rules, |_| None)?;
        Ok(Arc::new(pdu))
    }

    fn room_id(&self, opaque: &str) -> Result<OwnedRoomId> {
        RoomId::parse(format!("!{opaque}:{}", self.server()))
            .map_err(|error| RoomError::InvalidParam(error.to_string()))
    }

    /// Gives the room its number and writes down what never changes about it.
    async fn register(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        version: &RoomVersionId,
        new: &CreateRoom,
        create: &Pdu,
    ) -> Result<RoomInfo> {
        let info = RoomInfo {
            id: create.room_id.clone(),
            version: version.clone(),
            kind: new.creation_content.get("type").and_then(Value::as_str).map(str::to_owned),
            creator: new.creator.clone(),
            complete: true,
        };
        if tx.has(&ROOM_IDS, &info.id).await? {
            return Err(RoomError::InvalidState("a room with this id exists: try again".into()));
        }
        tx.put(&ROOM_IDS, &info.id, &room);
        tx.put(&ROOMS, room, &info);
        Ok(info)
    }
}

/// What the rules refuse while a room is being made is a contradiction in the request.
fn contradiction(error: RoomError) -> RoomError {
    match error {
        RoomError::Denied(reason) => RoomError::InvalidState(reason),
        other => other,
    }
}
