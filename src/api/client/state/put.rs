use axum::{
    extract::State,
    response::{IntoResponse, Response as HttpResponse},
};
use event::Draft;
use federation::Memberships;
use flows::Flows;
use room::{Later, MemberAction, MemberChange, MemberProfile, Membership, Outgoing, Rooms};
use ruma::{
    OwnedEventId, RoomId, UserId,
    api::client::state::send_state_event::v3::{Request, Response},
    events::StateEventType,
};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    Authed, Class, MatrixError, RateLimits, Reply,
    auth::is_limited,
    client::{
        delayed::{Wish, scheduled},
        membership::{limit_invite, limit_room},
        own::not_suspended,
    },
    limits::Key,
};

/// `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
pub async fn put(
    State(flows): State<Flows>,
    State(memberships): State<Memberships>,
    State(limits): State<RateLimits>,
    wish: Wish,
    Authed { user, account, appservice, req, .. }: Authed<Request>,
) -> Result<HttpResponse, MatrixError> {
    let limits = Some(&limits).filter(|_| is_limited(appservice.as_ref(), &user));
    let dated = appservice.and(req.timestamp).map(|ts| ts.get().into());
    let (rooms, room, content) = (&flows.rooms, &req.room_id, req.body.into_json());
    let membership = match req.event_type {
        StateEventType::RoomMember => room::membership_in(content.get()),
        _ => None,
    };
    let own = req.state_key == user;
    if membership != Some(Membership::Leave) || !own {
        not_suspended(&account)?;
    }
    if req.event_type == StateEventType::RoomCanonicalAlias {
        flows.check_canonical_alias(&user, room, &content).await?;
    }
    if let Some(delay) = wish.delay {
        if membership == Some(Membership::Invite) {
            let target = invited(&flows, limits, &user, room, &req.state_key).await?;
            if target.server_name() != rooms.server() {
                return Err(MatrixError::invalid_param(
                    "an invite of a user of another server cannot be delayed: their server has to sign it",
                ));
            }
        }
        let draft = Draft::state(req.event_type.to_string().into(), req.state_key, content);
        return scheduled(rooms, room, &Later { sender: user, draft, once: None, delay }).await;
    }
    let done = match membership {
        Some(Membership::Join) if own => {
            flows.check_guest(&user, room).await?;
            join(rooms, limits, room, &user, &content).await?
        }
        Some(Membership::Invite) => {
            let target = invited(&flows, limits, &user, room, &req.state_key).await?;
            match target.server_name() == rooms.server() {
                true => None,
                // Their server has to sign the event.
                false => {
                    let content = serde_json::from_str(content.get()).unwrap_or_default();
                    Some(memberships.invite_with(room, &user, target, &content).await?)
                }
            }
        }
        _ => None,
    };
    if let Some(event) = done {
        return Ok(Reply(Response::new(event)).into_response());
    }
    let is_tombstone = req.event_type == StateEventType::RoomTombstone && req.state_key.is_empty();
    let draft = Draft::state(req.event_type.to_string().into(), req.state_key, content);
    let event = rooms.send(room, &Outgoing { dated, ..Outgoing::new(&user, draft) }).await?;
    if is_tombstone && let Err(error) = flows.follow_tombstone(room).await {
        tracing::warn!(%room, %error, "members did not keep their settings in a replaced room");
    }
    Ok(Reply(Response::new(event)).into_response())
}

/// Whom a member event invites, if `user` may invite them now.
async fn invited<'a>(
    flows: &Flows,
    limits: Option<&RateLimits>,
    user: &UserId,
    room: &RoomId,
    state_key: &'a str,
) -> Result<&'a UserId, MatrixError> {
    let target = <&UserId>::try_from(state_key).map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    if let Some(limits) = limits {
        limit_invite(&flows.rooms, limits, (user, target), room).await?;
    }
    flows.check_invitee(user, target).await?;
    Ok(target)
}

/// Joins the way that `/join` does: a restricted room wants to know who lets the user in. `None` if they are in it
/// with that profile already.
async fn join(
    rooms: &Rooms,
    limits: Option<&RateLimits>,
    room: &RoomId,
    user: &UserId,
    content: &RawValue,
) -> Result<Option<OwnedEventId>, MatrixError> {
    if let Some(limits) = limits
        && rooms.num_of_joined(&rooms.db().view(), user, room).await.is_err()
    {
        limits.take(Class::Join, Key::user(user))?;
        limit_room(limits, Class::JoinPerRoom, room)?;
    }
    let profile = MemberProfile::of_content(content.get());
    let extra: Map<String, Value> = serde_json::from_str(content.get()).unwrap_or_default();
    let reason = extra.get("reason").and_then(Value::as_str).map(str::to_owned);
    let join = MemberChange::own(user, MemberAction::Join).with_profile(profile);
    if !rooms.change_member(room, &join.with_reason(reason).with_extra(extra)).await? {
        return Ok(None);
    }
    let view = rooms.db().view();
    let access = rooms.access(&view, user, room).await?;
    let (_, row) = rooms.state_row(&view, access.room, access.state, "m.room.member", user.as_str()).await?;
    OwnedEventId::try_from(row.event.event_id()).map(Some).map_err(|error| MatrixError::internal(&error))
}
