//! What the operators of a server tell its users, each in a room of their own. Client-server API, "Server Notices".

use std::sync::Arc;

use account::{NewAccount, Permit};
use event::Draft;
use room::{CreateRoom, MemberAction, MemberChange, Membership, Once, Outgoing, Preset, RoomNum};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::{FlowError, Flows, NoticesConfig, Result};

/// The tag that clients know such a room by.
const TAG: &str = "m.server_notice";

/// Who sends notices. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    config: Arc<NoticesConfig>,
    /// One at a time, so that nobody gets two rooms.
    turn: Arc<Mutex<()>>,
}

impl Notices {
    /// Notices as `config` says.
    pub fn new(config: NoticesConfig) -> Self {
        Self { config: Arc::new(config), turn: Arc::default() }
    }
}

impl Flows {
    /// Creates the account that sends notices, if there is to be one. Done at the start, before somebody else can have
    /// its name.
    ///
    /// # Errors
    /// As [`account::Accounts::register`].
    pub async fn prepare_notices(&self) -> Result<()> {
        let Some(user) = self.notices_user() else { return Ok(()) };
        if self.accounts.user(&user).await?.is_none() {
            let name = Some(user.localpart().to_owned());
            let permit = Permit::Operator { admin: false };
            self.accounts.register(&NewAccount { name, phc: None, permit, device: None }).await?;
        }
        let name = &self.notices.config.display_name;
        self.profiles.set(&user, "displayname", Some(json!(name))).await?;
        Ok(())
    }

    /// Tells a user of this server something.
    ///
    /// # Errors
    /// [`FlowError::NoNotices`], [`FlowError::UnknownUser`]; as [`room::Rooms::send`].
    pub async fn send_notice(&self, to: &UserId, draft: Draft, once: Option<Once>) -> Result<OwnedEventId> {
        let sender = self.notices_user().ok_or(FlowError::NoNotices)?;
        if to.server_name() != self.rooms.server() || to == sender || !self.accounts.is_active(to).await? {
            return Err(FlowError::UnknownUser);
        }
        let turn = self.notices.turn.lock().await;
        let room = match self.notices_room(&sender, to).await? {
            Some((room, membership)) => {
                if matches!(membership, Membership::Leave | Membership::Knock) {
                    let invite = MemberChange::of(&*sender, to, MemberAction::Invite { is_direct: false });
                    let invite = invite.with_profile(self.member_profile(to).await?);
                    self.rooms.change_member(&room, &invite).await?;
                }
                room
            }
            None => self.create_notices_room(&sender, to).await?,
        };
        drop(turn);
        Ok(self.rooms.send(&room, &Outgoing { once, ..Outgoing::new(&sender, draft) }).await?)
    }

    /// Whether users may not refuse to come into a room.
    pub(crate) async fn is_notices_room(&self, room: RoomNum) -> Result<bool> {
        let Some(sender) = self.notices_user() else { return Ok(false) };
        let view = self.rooms.db().view();
        if self.rooms.membership(&view, &sender, room).await? != Membership::Join {
            return Ok(false);
        }
        let state = self.rooms.tip(&view, room).await?.state;
        let create = self.rooms.state_event(&view, room, state, "m.room.create", "").await?;
        Ok(create.is_some_and(|create| create.sender == sender))
    }

    fn notices_user(&self) -> Option<OwnedUserId> {
        self.accounts.meant(self.notices.config.localpart.as_deref()?)
    }

    /// The room in which a user gets notices, and what they are in it.
    async fn notices_room(&self, sender: &UserId, to: &UserId) -> Result<Option<(OwnedRoomId, Membership)>> {
        let view = self.rooms.db().view();
        for (room, part) in self.rooms.user_rooms(&view, to).await? {
            let here = self.rooms.membership(&view, sender, room).await? == Membership::Join;
            if here && part.value.membership != Membership::Ban && self.is_notices_room(room).await? {
                let id = self.rooms.info(&view, room).await?.id.clone();
                return Ok(Some((id, part.value.membership)));
            }
        }
        Ok(None)
    }

    async fn create_notices_room(&self, sender: &UserId, to: &UserId) -> Result<OwnedRoomId> {
        let new = CreateRoom {
            profile: self.member_profile(sender).await?,
            creation_content: Map::from_iter([("m.federate".to_owned(), json!(false))]),
            name: Some(self.notices.config.room_name.clone()),
            // Nobody else speaks there.
            power_levels: Map::from_iter([("users_default".to_owned(), json!(-10))]),
            invites: vec![(to.to_owned(), self.member_profile(to).await?)],
            ..CreateRoom::new(sender.to_owned(), Preset::PrivateChat)
        };
        let room = self.rooms.create(&new).await?;
        self.tag_notices(to, &room).await?;
        Ok(room)
    }

    async fn tag_notices(&self, user: &UserId, room: &RoomId) -> Result<()> {
        Ok(self.account_data.set_tag(user, room, TAG, &Map::<String, Value>::new()).await?)
    }
}
