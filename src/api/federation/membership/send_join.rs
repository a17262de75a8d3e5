use axum::extract::State;
use federation::{Memberships, membership::Received};
use ruma::api::federation::membership::create_join_event::v2::Request;

use crate::{MatrixError, RawReply, Signed, client::written::Written};

/// `PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}`
pub async fn send_join(
    State(memberships): State<Memberships>,
    Signed { origin, req, body, .. }: Signed<Request>,
) -> Result<RawReply, MatrixError> {
    let received = Received { origin: &origin, room_id: &req.room_id, event_id: &req.event_id, event: body };
    let welcome = memberships.take_join(&received, !req.omit_members).await?;
    let mut answer = Written::default()
        .events("auth_chain", &welcome.admitted.auth_chain)
        .events("state", &welcome.admitted.state)
        .value("members_omitted", Some(req.omit_members))
        .value("servers_in_room", Some(welcome.admitted.servers));
    if let Some(event) = welcome.event {
        answer = answer.event("event", event.json());
    }
    Ok(answer.into())
}
