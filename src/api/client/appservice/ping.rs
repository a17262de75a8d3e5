use appservice::{AppserviceError, Appservices};
use axum::extract::State;
use ruma::api::client::appservice::request_ping::v1::{Request, Response};

use crate::{Authed, MatrixError, Reply, client::own};

/// `POST /_matrix/client/v1/appservice/{appserviceId}/ping`
pub async fn ping(
    State(appservices): State<Appservices>,
    Authed { appservice, req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    let service = own::appservice(appservice)?;
    if service.id != req.appservice_id {
        return Err(AppserviceError::NotItself.into());
    }
    let transaction = req.transaction_id.as_ref().map(|id| id.as_str());
    let took = appservices.ping(&service, transaction).await?;
    Ok(Reply(Response::new(took)))
}
