//! Creating a room: all of its first events in one transaction.

use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomVersionId, events::TimelineEventType};
use serde_json::{Map, Value, value::RawValue};

use crate::{Outgoing, Result, RoomError, Rooms, directory, lookup::rules};

mod check;
mod content;
mod found;

pub(crate) use content::{add_creators_to, member, raw};
pub(crate) use found::Founding;

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

impl CreateRoom {
    /// A room of the configured version with nothing but what the preset gives.
    #[must_use]
    pub fn new(creator: OwnedUserId, preset: Preset) -> Self {
        Self {
            creator,
            profile: MemberProfile::default(),
            version: None,
            creation_content: Map::new(),
            preset,
            published: false,
            alias: None,
            name: None,
            topic: None,
            power_levels: Map::new(),
            initial_state: Vec::new(),
            invites: Vec::new(),
            is_direct: false,
        }
    }
}

impl Rooms {
    /// Creates a room with all of its first events, or nothing.
    ///
    /// # Errors
    /// [`RoomError::UnsupportedVersion`], [`RoomError::AliasInUse`], [`RoomError::InvalidParam`],
    /// [`RoomError::InvalidState`] when what was asked for contradicts the rules.
    pub async fn create(&self, new: &CreateRoom) -> Result<OwnedRoomId> {
        let version = new.version.clone().unwrap_or_else(|| self.default_version().clone());
        let rules = rules(&version)?;
        check::check(new, &rules)?;
        let mut content = new.creation_content.clone();
        content::add_creators(&mut content, new, &rules);
        let founding = self.founding(&new.creator, version, rules, content).await?;
        let moment = self.moment();
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let (info, mut tip) = self.found(&mut tx, &founding, moment).await?;
            for draft in content::drafts(new, &founding.rules)? {
                crate::check::check_content(&draft).map_err(|error| RoomError::InvalidState(error.to_string()))?;
                let out = Outgoing::new(&new.creator, draft);
                self.compose(&mut tx, founding.num, &mut tip, &out, moment).await.map_err(contradiction)?;
            }
            if let Some(alias) = &new.alias {
                directory::claim(&mut tx, alias, &info.id, &new.creator).await?;
            }
            if new.published {
                directory::publish(&mut tx, founding.num, true);
            }
            tx.commit().await?;
            Ok(info.id)
        })
        .await
    }
}

/// What the rules refuse while a room is being made is a contradiction in the request.
fn contradiction(error: RoomError) -> RoomError {
    match error {
        RoomError::Denied(reason) => RoomError::InvalidState(reason),
        other => other,
    }
}
