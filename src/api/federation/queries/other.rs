use ruma::api::federation::query::get_custom_information::v1::Request;

use crate::{JsonReply, MatrixError, Signed};

/// `GET /_matrix/federation/v1/query/{queryType}`: there are no other types than those with an endpoint of their own.
pub async fn other(Signed { req, .. }: Signed<Request>) -> Result<JsonReply, MatrixError> {
    let kind: String = req.query_type.chars().take(100).collect();
    Err(MatrixError::not_found(format!("this server knows no queries of type `{kind}`")))
}
