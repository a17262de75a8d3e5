//! Keys: ours, and those of others that we vouch for.

mod query;
mod query_batch;
mod server;

use http::Method;

use crate::{Class, Credential, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add(server::server)
        // Servers from before version 1.6 of the specification name the key that they want.
        .add_raw(Method::GET, "/_matrix/key/v2/server/{key_id}", Credential::None, server::server_key)
        .add_limited(Class::UnknownServer, query::query)
        .add_limited(Class::UnknownServer, query_batch::query_batch)
}
