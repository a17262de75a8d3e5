//! Endpoints of the first version, which specification v1.18 removed; servers that know nothing newer still ask.

use http::Method;
use ruma::api::{
    IncomingRequest, Metadata,
    error::DeserializationError,
    federation::{
        authentication::ServerSignatures,
        membership::{create_join_event, create_leave_event},
    },
    path_builder::SinglePath,
};

/// The request of an endpoint in its first version: under another path, the same as in the second.
#[derive(Debug)]
pub struct First<R>(pub R);

/// Where that is.
pub trait InFirstVersion: IncomingRequest {
    /// The path.
    const PATH: &'static str;
}

impl InFirstVersion for create_join_event::v2::Request {
    const PATH: &'static str = "/_matrix/federation/v1/send_join/{room_id}/{event_id}";
}

impl InFirstVersion for create_leave_event::v2::Request {
    const PATH: &'static str = "/_matrix/federation/v1/send_leave/{room_id}/{event_id}";
}

impl<R: InFirstVersion> Metadata for First<R> {
    const METHOD: Method = R::METHOD;
    const RATE_LIMITED: bool = R::RATE_LIMITED;
    type Authentication = ServerSignatures;
    type PathBuilder = SinglePath;
    const PATH_BUILDER: Self::PathBuilder = SinglePath::new(R::PATH);
}

impl<R: InFirstVersion> IncomingRequest for First<R> {
    type EndpointError = R::EndpointError;
    type OutgoingResponse = R::OutgoingResponse;

    fn try_from_http_request_inner(
        request: http::Request<&[u8]>,
        path_args: &[&str],
    ) -> Result<Self, DeserializationError> {
        R::try_from_http_request_inner(request, path_args).map(Self)
    }
}
