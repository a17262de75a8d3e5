//! Modules "Joining Rooms", "Inviting to a room", "Leaving Rooms", "Knocking upon a room", "Third-party invites".

mod exchange;
mod first;
mod invite_v1;
mod invite_v2;
mod make_join;
mod make_knock;
mod make_leave;
mod on_bind;
mod send_join;
mod send_join_v1;
mod send_knock;
mod send_leave;
mod send_leave_v1;

use std::sync::Arc;

use event::Pdu;
use federation::membership::IncomingInvite;
use flows::Flows;
use ruma::OwnedUserId;
use serde::Deserialize;

use crate::{Class, MatrixError, RateLimits, Routes, limits::Key};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add(make_join::make_join)
        .add(send_join::send_join)
        .add(send_join_v1::send_join_v1)
        .add(make_leave::make_leave)
        .add(send_leave::send_leave)
        .add(send_leave_v1::send_leave_v1)
        .add(make_knock::make_knock)
        .add(send_knock::send_knock)
        .add(invite_v1::invite_v1)
        .add(invite_v2::invite_v2)
        .add(exchange::exchange)
        .add_limited(Class::UnknownServer, on_bind::on_bind)
}

#[derive(Deserialize)]
struct Invited {
    state_key: OwnedUserId,
}

/// Takes an invite, unless its server sends too many or its user gets too many.
async fn take_invite(
    flows: &Flows,
    limits: &RateLimits,
    incoming: IncomingInvite<'_>,
) -> Result<Arc<Pdu>, MatrixError> {
    limits.take(Class::ServerInvite, Key::Name(incoming.origin.to_string()))?;
    if let Ok(Invited { state_key }) = serde_json::from_slice(&incoming.event) {
        limits.take(Class::Invited, Key::user(&state_key))?;
    }
    Ok(flows.take_invite(incoming).await?)
}
