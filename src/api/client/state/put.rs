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
    Authed, MatrixError, Reply,
    client::{
        delayed::{Wish, scheduled},
        own::not_suspended,
    },
};

/// `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
pub async fn put(
    State(rooms): State<Rooms>,
    State(flows): State<Flows>,
    State(memberships): State<Memberships>,
    wish: Wish,
    Authed { user, account, appservice, req, .. }: Authed<Request>,
) -> Result<HttpResponse, MatrixError> {
    let dated = appservice.and(req.timestamp).map(|ts| ts.get().into());
    let content = req.body.into_json();
    if !is_leaving(&req.event_type, &content) {
        not_suspended(&account)?;
    }
    if let Some(delay) = wish.delay {
        if req.event_type == StateEventType::RoomCanonicalAlias {
            rooms.check_canonical_alias(&rooms.db().view(), &req.room_id, &content).await?;
        }
        let draft = Draft::state(req.event_type.to_string().into(), req.state_key, content);
        return scheduled(&rooms, &req.room_id, &Later { sender: user, draft, once: None, delay }).await;
    }
    match req.event_type {
        StateEventType::RoomCanonicalAlias => {
            rooms.check_canonical_alias(&rooms.db().view(), &req.room_id, &content).await?;
        }
        StateEventType::RoomMember if req.state_key == user && membership(&content) == Some(Membership::Join) => {
            // A restricted room wants to know who lets the user in; that is found by the same way as for `/join`.
            let profile = MemberProfile::of_content(content.get());
            let extra: Map<String, Value> = serde_json::from_str(content.get()).unwrap_or_default();
            let reason = extra.get("reason").and_then(Value::as_str).map(str::to_owned);
            let join = MemberChange::own(user.clone(), MemberAction::Join).with_profile(profile);
            let join = join.with_reason(reason).with_extra(extra);
            if rooms.change_member(&req.room_id, &join).await? {
                return Ok(Reply(Response::new(current(&rooms, &req.room_id, &user).await?)).into_response());
            }
        }
        StateEventType::RoomMember if membership(&content) == Some(Membership::Invite) => {
            let target = <&UserId>::try_from(&*req.state_key);
            let target = target.map_err(|error| MatrixError::invalid_param(error.to_string()))?;
            flows.check_invitee(&user, target).await?;
            if target.server_name() != rooms.server() {
                // Their server has to sign the event.
                let content = serde_json::from_str(content.get()).unwrap_or_default();
                let event = memberships.invite_with(&req.room_id, &user, target, &content).await?;
                return Ok(Reply(Response::new(event)).into_response());
            }
        }
        _ => {}
    }
    let is_tombstone = req.event_type == StateEventType::RoomTombstone && req.state_key.is_empty();
    let draft = Draft::state(req.event_type.to_string().into(), req.state_key, content);
    let event = rooms.send(&req.room_id, &Outgoing { dated, ..Outgoing::new(&user, draft) }).await?;
    if is_tombstone && let Err(error) = flows.follow_tombstone(&req.room_id).await {
        tracing::warn!(room = %req.room_id, %error, "members did not keep their settings in a replaced room");
    }
    Ok(Reply(Response::new(event)).into_response())
}

fn membership(content: &RawValue) -> Option<Membership> {
    room::membership_in(content.get())
}

fn is_leaving(kind: &StateEventType, content: &RawValue) -> bool {
    *kind == StateEventType::RoomMember && membership(content) == Some(Membership::Leave)
}

/// The event that made the user a member.
async fn current(rooms: &Rooms, room: &RoomId, user: &UserId) -> Result<OwnedEventId, MatrixError> {
    let view = rooms.db().view();
    let access = rooms.access(&view, user, room).await?;
    let (_, row) = rooms.state_row(&view, access.room, access.state, "m.room.member", user.as_str()).await?;
    OwnedEventId::try_from(row.event.event_id()).map_err(|error| MatrixError::internal(&error))
}
