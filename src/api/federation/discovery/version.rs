use ruma::api::federation::discovery::get_server_version::v1::{Request, Response, Server};

use crate::{Public, Reply};

/// `GET /_matrix/federation/v1/version`
pub async fn version(_: Public<Request>) -> Reply<Response> {
    let mut server = Server::new();
    server.name = Some("Hearth".to_owned());
    server.version = Some(env!("CARGO_PKG_VERSION").to_owned());
    let mut response = Response::new();
    response.server = Some(server);
    Reply(response)
}
