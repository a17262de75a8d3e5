//! The server-server API: one folder per module of the specification, one file per endpoint.

use crate::Routes;

/// Every endpoint of the server-server API, one line each.
pub fn routes(routes: Routes) -> Routes {
    routes
}
