use account::AccountData;
use axum::extract::State;
use event::ClientFormat;
use room::{Membership, Rooms};
use ruma::{api::client::membership::get_member_events::v3::Request, events::room::member::MembershipState};

use crate::{
    Authed, MatrixError, RawReply,
    client::{point::point, reader::Reader, written::Written},
};

/// `GET /_matrix/client/v3/rooms/{roomId}/members`
pub async fn members(
    State(rooms): State<Rooms>,
    State(data): State<AccountData>,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    let view = rooms.db().view();
    let access = rooms.access(&view, &user, &req.room_id).await?;
    let at = point(&rooms, &req.room_id, req.at.as_deref()).await?;
    let (wanted, unwanted) = (membership(req.membership.as_ref())?, membership(req.not_membership.as_ref())?);
    let rows = rooms.member_rows(&view, &access, at, wanted, unwanted).await?;
    let reader = Reader::new(&data, &rooms, &user, device.as_deref()).await?;
    let chunk = |out: &mut Vec<u8>| rooms.write_plain(&reader.viewer(), &rows, ClientFormat::Full, out);
    Ok(Written::default().with("chunk", chunk).into())
}

fn membership(state: Option<&MembershipState>) -> Result<Option<Membership>, MatrixError> {
    let Some(state) = state else { return Ok(None) };
    let membership = Membership::parse(state.as_str());
    membership.map(Some).ok_or_else(|| MatrixError::invalid_param("there is no such membership"))
}
