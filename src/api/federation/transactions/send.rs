use axum::extract::State;
use federation::Inbound;
use ruma::api::federation::transactions::send_transaction_message::v1::Request;

use crate::{MatrixError, RawReply, Signed};

/// `PUT /_matrix/federation/v1/send/{txnId}`
pub async fn send(
    State(inbound): State<Inbound>,
    Signed { origin, req, body, .. }: Signed<Request>,
) -> Result<RawReply, MatrixError> {
    // The handler is dropped when the other server hangs up; what was begun is finished all the same.
    let work = tokio::spawn(async move { inbound.transaction(&origin, req.transaction_id.as_str(), &body).await });
    let answer = work.await.map_err(|error| MatrixError::internal(&error))??;
    Ok(RawReply(answer.into()))
}
