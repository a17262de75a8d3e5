use account::AccountData;
use axum::extract::State;
use federation::Inbound;
use room::{Direction, Rooms};
use ruma::api::{
    Direction as Asked,
    client::room::get_event_by_timestamp::v1::{Request, Response},
};

use crate::{Authed, Class, MatrixError, RateLimits, Reply, auth::is_limited, client::reader::Reader, limits::Key};

/// `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event`
pub async fn by_time(
    State(rooms): State<Rooms>,
    State(account_data): State<AccountData>,
    State(inbound): State<Inbound>,
    State(limits): State<RateLimits>,
    Authed { user, device, appservice, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let mut view = rooms.db().view();
    let access = rooms.access(&view, &user, &req.room_id).await?;
    let direction = if req.dir == Asked::Forward { Direction::Forward } else { Direction::Backward };
    let reader = Reader::new(&account_data, &rooms, &user, device.as_deref()).await?;
    let (ts, viewer) = (req.ts.get().into(), reader.viewer());
    let mut found = rooms.event_by_time(&view, access.room, &viewer, ts, direction).await?;
    let place = found.as_ref().and_then(|(_, row)| row.meta.place);
    // Who asks too often gets what is here.
    if rooms.may_be_elsewhere(&view, access.room, place, direction).await?
        && (!is_limited(appservice.as_ref(), &user) || limits.take(Class::Lookup, Key::user(&user)).is_ok())
    {
        let closest = found.as_ref().map(|(_, row)| row.event.origin_server_ts());
        if inbound.reach(&req.room_id, ts, direction, closest).await? {
            view = rooms.db().view();
            found = rooms.event_by_time(&view, access.room, &viewer, ts, direction).await?;
        }
    }
    let (_, row) = found.ok_or_else(|| MatrixError::not_found("there is no event on that side of the time"))?;
    let id = row.event.event_id().try_into().map_err(|error| MatrixError::internal(&error))?;
    let ts = row.event.origin_server_ts().try_into().map_err(|error| MatrixError::internal(&error))?;
    Ok(Reply(Response::new(id, ruma::MilliSecondsSinceUnixEpoch(ts))))
}
