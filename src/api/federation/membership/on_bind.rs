use axum::extract::State;
use federation::{
    Memberships,
    membership::{Bound, MAX_BOUND},
};
use flows::Flows;
use ruma::api::federation::thirdparty::bind_callback::v1::{Request, Response};

use crate::{MatrixError, Public, Reply};

/// `PUT /_matrix/federation/v1/3pid/onbind`
///
/// An identity server says that a user of ours has an address that was invited. It does not prove who it is: the rules
/// of each room check what it signed.
pub async fn on_bind(
    State(flows): State<Flows>,
    State(memberships): State<Memberships>,
    Public { req, .. }: Public<Request>,
) -> Result<Reply<Response>, MatrixError> {
    if req.mxid.server_name() != flows.rooms.server() || !flows.accounts.is_active(&req.mxid).await? {
        return Err(MatrixError::not_found("there is no such user on this server"));
    }
    if req.invites.len() > MAX_BOUND {
        return Err(MatrixError::too_large(format!("at most {MAX_BOUND} invites can be told of at once")));
    }
    for invite in req.invites.into_iter().filter(|invite| invite.mxid == req.mxid) {
        let signed = serde_json::from_str(invite.signed.json().get());
        let signed = signed.map_err(|error| MatrixError::bad_json(error.to_string()))?;
        let bound = Bound { room_id: invite.room_id, sender: invite.sender, target: invite.mxid, signed };
        // One room that does not take the invite is no reason to pass over the others.
        if let Err(error) = memberships.bound(&bound).await {
            tracing::info!(room = %bound.room_id, %error, "an invite by a third party could not be made real");
        }
    }
    Ok(Reply(Response::new()))
}
