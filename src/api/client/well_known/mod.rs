//! Documents for those who know only the server's name.

mod client;
mod server;
mod support;

use crate::{MatrixError, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(client::client).add(server::server).add(support::support)
}

fn absent() -> MatrixError {
    MatrixError::not_found("this server has no such document: see [well_known] in its configuration")
}
