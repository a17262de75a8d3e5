//! The client-server API: one folder per module of the specification, one file per endpoint.

mod discovery;
mod media;

use crate::Routes;

/// Every endpoint of the client-server API, one line each.
pub fn routes(routes: Routes) -> Routes {
    let routes = discovery::routes(routes);
    media::routes(routes)
}
