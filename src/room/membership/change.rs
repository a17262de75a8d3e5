//! Changing memberships: join, invite, leave, kick, ban, unban, knock, and new profiles of members.

use event::{Draft, Pdu};
use kv::Tx;
use ruma::{OwnedUserId, RoomId, events::TimelineEventType};
use serde_json::{Map, Value, json};

use super::{entry::Entry, membership_of};
use crate::{
    MemberProfile, Membership, Outgoing, PolicyServer, Result, RoomError, Rooms, Tip, compose::Moment, create::raw,
    num::RoomNum,
};

/// What happens to a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberAction {
    /// The target comes in.
    Join,
    /// The target is asked to come in, to a direct chat if set.
    Invite {
        /// Marks the room as a direct chat of the two.
        is_direct: bool,
    },
    /// The target leaves, rejects an invite or retracts a knock.
    Leave,
    /// Somebody else makes the target leave, or takes an invite back.
    Kick,
    /// The target is kept out.
    Ban,
    /// The target is no longer kept out.
    Unban,
    /// The target asks to come in.
    Knock,
    /// A member has a new name or picture.
    Profile,
}

impl MemberAction {
    fn membership(self) -> Membership {
        match self {
            Self::Join | Self::Profile => Membership::Join,
            Self::Invite { .. } => Membership::Invite,
            Self::Leave | Self::Kick | Self::Unban => Membership::Leave,
            Self::Ban => Membership::Ban,
            Self::Knock => Membership::Knock,
        }
    }

    /// Whether the member event shows the target's name and picture.
    fn shows_profile(self) -> bool {
        matches!(self, Self::Join | Self::Invite { .. } | Self::Knock | Self::Profile)
    }
}

/// What only the server puts into member events.
const SPECIFIED: [&str; 8] = [
    "avatar_url",
    "displayname",
    "is_direct",
    "join_authorised_via_users_server",
    "membership",
    "reason",
    "third_party_invite",
    "third_party_signed",
];

/// A change of one membership.
#[derive(Debug, Clone)]
pub struct MemberChange {
    /// Who makes it: a user of this server.
    pub sender: OwnedUserId,
    /// Whose membership changes.
    pub target: OwnedUserId,
    /// What happens.
    pub action: MemberAction,
    /// The target's name and picture, for the actions that show them.
    pub profile: MemberProfile,
    /// Why.
    pub reason: Option<String>,
    /// What the user wants to have in the member event beside what the server puts there.
    pub extra: Map<String, Value>,
}

impl MemberChange {
    /// A change that `user` makes to their own membership.
    pub fn own(user: impl Into<OwnedUserId>, action: MemberAction) -> Self {
        let user = user.into();
        Self {
            sender: user.clone(),
            target: user,
            action,
            profile: MemberProfile::default(),
            reason: None,
            extra: Map::new(),
        }
    }

    /// A change that `sender` makes to somebody else's membership.
    pub fn of(sender: impl Into<OwnedUserId>, target: impl Into<OwnedUserId>, action: MemberAction) -> Self {
        Self { sender: sender.into(), ..Self::own(target, action) }
    }

    /// With the target's name and picture.
    #[must_use]
    pub fn with_profile(self, profile: MemberProfile) -> Self {
        Self { profile, ..self }
    }

    /// With a reason.
    #[must_use]
    pub fn with_reason(self, reason: Option<String>) -> Self {
        Self { reason, ..self }
    }

    /// With further content; what the specification gives a meaning in member events is left out.
    #[must_use]
    pub fn with_extra(self, mut extra: Map<String, Value>) -> Self {
        extra.retain(|key, _| !SPECIFIED.contains(&key.as_str()));
        Self { extra, ..self }
    }

    /// What the member event says.
    pub fn content(&self) -> Map<String, Value> {
        let mut content = self.extra.clone();
        content.insert("membership".into(), json!(self.action.membership().as_str()));
        if let Some(reason) = &self.reason {
            content.insert("reason".into(), json!(reason));
        }
        if let MemberAction::Invite { is_direct: true } = self.action {
            content.insert("is_direct".into(), json!(true));
        }
        if self.action.shows_profile() {
            self.profile.write(&mut content);
        }
        content
    }
}

impl MemberProfile {
    /// Adds name and picture to the content of a member event.
    pub(crate) fn write(&self, content: &mut Map<String, Value>) {
        for (key, value) in [("displayname", &self.displayname), ("avatar_url", &self.avatar_url)] {
            if let Some(value) = value {
                content.insert(key.into(), json!(value));
            }
        }
    }

    /// Name and picture in the content of a member event.
    pub fn of_content(content: &str) -> Self {
        let Ok(Value::Object(content)) = serde_json::from_str(content) else { return Self::default() };
        let text = |key| content.get(key).and_then(Value::as_str).map(str::to_owned);
        Self { displayname: text("displayname"), avatar_url: text("avatar_url") }
    }
}

impl Rooms {
    /// Changes a membership; answers whether that took an event. What is already so stays as it is.
    ///
    /// Client-server API, "Room membership".
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`], [`RoomError::NotJoined`], [`RoomError::Denied`],
    /// [`RoomError::BadState`] when somebody is to be unbanned who is not banned,
    /// [`RoomError::UnableToAuthorise`] and [`RoomError::UnableToGrant`] for restricted rooms,
    /// [`RoomError::NotRecommended`] and [`RoomError::PolicyUnavailable`] for rooms with a policy server.
    pub async fn change_member(&self, room_id: &RoomId, change: &MemberChange) -> Result<bool> {
        let moment = self.moment();
        let view = self.db.view();
        let room = self.num(&view, room_id).await?;
        let policy = self.policy_server(&view, room).await?;
        drop(view);
        if let Some(policy) = policy {
            match self.change_recommended(room, &policy, change, moment).await {
                // Who wants to leave leaves; other servers ask for the signature themselves.
                Err(RoomError::PolicyUnavailable(reason)) if change.action == MemberAction::Leave => {
                    tracing::info!(room = %room_id, server = %policy.server, reason, "a leave goes unsigned");
                }
                changed => return changed,
            }
        }
        let turn = self.turns.of(room).await;
        let (changed, pending) = kv::retry(|| async {
            let mut tx = self.db.begin();
            let mut tip = self.tip(&tx, room).await?;
            let out = self.member_event(&tx, room, &tip, change).await?;
            if let Some(out) = &out {
                self.compose(&mut tx, room, &mut tip, out, moment).await?;
            }
            Ok::<_, RoomError>((out.is_some(), tx.submit().await?))
        })
        .await?;
        drop(turn);
        // What is already so may not be durable yet.
        pending.durable().await?;
        Ok(changed)
    }

    /// As [`Rooms::change_member`], with the signature of the room's policy server.
    async fn change_recommended(
        &self,
        room: RoomNum,
        policy: &PolicyServer,
        change: &MemberChange,
        moment: Moment,
    ) -> Result<bool> {
        let tx = self.db.begin();
        let tip = self.tip(&tx, room).await?;
        let Some(out) = self.member_event(&tx, room, &tip, change).await? else {
            // What is already so may not be durable yet.
            tx.submit().await?.durable().await?;
            return Ok(false);
        };
        drop(tx);
        self.send_recommended(room, policy, &out, moment).await?;
        Ok(true)
    }

    /// The event that makes a change, unless it is already so.
    pub(crate) async fn member_event(
        &self,
        tx: &Tx,
        room: RoomNum,
        tip: &Tip,
        change: &MemberChange,
    ) -> Result<Option<Outgoing>> {
        let current = self.state_event(tx, room, tip.state, "m.room.member", change.target.as_str()).await?;
        let now = current.as_deref().and_then(membership_of);
        if change.sender != change.target
            && self.member_in(tx, room, tip, change.sender.as_str()).await? != Membership::Join
        {
            return Err(RoomError::NotJoined);
        }
        check(change.action, now)?;
        let mut content = change.content();
        if let Some(current) = &current
            && is_so(change, current, now, &content)
        {
            return Ok(None);
        }
        if change.action == MemberAction::Join && !matches!(now, Some(Membership::Join | Membership::Invite)) {
            match self.entry(tx, room, tip, &change.target).await? {
                Entry::Unrestricted => {}
                Entry::By(member) => {
                    content.insert("join_authorised_via_users_server".into(), json!(member));
                }
                refused => return Err(refused.into_error()),
            }
        }
        let draft = Draft::state(TimelineEventType::RoomMember, change.target.as_str(), raw(&content)?);
        Ok(Some(Outgoing::new(&change.sender, draft)))
    }

    /// The membership that the state of the room gives a user.
    pub(crate) async fn member_in(&self, tx: &Tx, room: RoomNum, tip: &Tip, user: &str) -> Result<Membership> {
        let event = self.state_event(tx, room, tip.state, "m.room.member", user).await?;
        Ok(event.as_deref().and_then(membership_of).unwrap_or(Membership::Leave))
    }
}

/// What the authorization rules leave open.
fn check(action: MemberAction, now: Option<Membership>) -> Result<()> {
    use Membership::{Ban, Invite, Join, Knock};
    match (action, now) {
        (MemberAction::Leave, None) => Err(RoomError::NotJoined),
        (MemberAction::Kick, Some(Join | Invite | Knock)) | (MemberAction::Unban, Some(Ban)) => Ok(()),
        (MemberAction::Kick, _) => Err(RoomError::Denied("this user is not in the room".into())),
        (MemberAction::Unban, _) => Err(RoomError::BadState("this user is not banned".into())),
        (MemberAction::Profile, now) if now != Some(Join) => Err(RoomError::NotJoined),
        _ => Ok(()),
    }
}

/// Whether the member event that is there says already what the change would.
fn is_so(change: &MemberChange, current: &Pdu, now: Option<Membership>, content: &Map<String, Value>) -> bool {
    if now != Some(change.action.membership()) {
        return false;
    }
    match change.action {
        MemberAction::Leave => true,
        MemberAction::Join | MemberAction::Profile => {
            MemberProfile::of_content(current.content.get()) == change.profile
        }
        _ => {
            current.sender == change.sender
                && serde_json::from_str::<Map<String, Value>>(current.content.get()).is_ok_and(|old| old == *content)
        }
    }
}
