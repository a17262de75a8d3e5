//! Modules "Joining rooms", "Leaving rooms", "Banning users", "Knocking on rooms", "Room membership".

mod ban;
mod forget;
mod invite;
mod join;
mod join_by_id;
mod joined_members;
mod joined_rooms;
mod kick;
mod knock;
mod leave;
mod unban;

use room::Rooms;
use ruma::{
    RoomId, UserId,
    api::client::membership::{forget_room, invite_user},
};
use serde_json::{Map, Value};

use crate::{Class, MatrixError, RateLimits, Routes, limits::Key};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add_as::<invite_user::v3::Request, _, _>(invite::invite)
        .add_limited(Class::Join, join::join)
        .add_limited(Class::Join, join_by_id::join_by_id)
        .add_limited(Class::Join, knock::knock)
        .add(leave::leave)
        .add_as::<forget_room::v3::Request, _, _>(forget::forget)
        .add(kick::kick)
        .add(ban::ban)
        .add(unban::unban)
        .add(joined_rooms::joined_rooms)
        .add(joined_members::joined_members)
}

/// What a body has beside the parameters of the endpoint, for the member event.
fn extra(body: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(body).unwrap_or_default()
}

/// Takes what an invite costs from who sends it, who gets it and the room, which only its members can use up.
pub(crate) async fn limit_invite(
    rooms: &Rooms,
    limits: &RateLimits,
    (sender, target): (&UserId, &UserId),
    room: &RoomId,
) -> Result<(), MatrixError> {
    rooms.num_of_joined(&rooms.db().view(), sender, room).await?;
    limits.take(Class::Invite, Key::user(sender))?;
    limits.take(Class::Invited, Key::user(target))?;
    limit_room(limits, Class::InvitePerRoom, room)
}

/// Takes what a join or knock costs the room, and its user if other servers have to be asked.
async fn limit_entry(rooms: &Rooms, limits: &RateLimits, user: &UserId, room: &RoomId) -> Result<(), MatrixError> {
    if !rooms.takes_part(&rooms.db().view(), room).await? {
        limits.take(Class::JoinRemote, Key::user(user))?;
    }
    limit_room(limits, Class::JoinPerRoom, room)
}

/// Takes one from the bucket that everybody shares for a room.
pub(crate) fn limit_room(limits: &RateLimits, class: Class, room: &RoomId) -> Result<(), MatrixError> {
    limits.take(class, Key::Name(room.to_string()))
}
