//! The client-server API: one folder per module of the specification, one file per endpoint.

mod discovery;

use crate::Routes;

/// Every endpoint of the client-server API, one line each.
pub fn routes(routes: Routes) -> Routes {
    discovery::routes(routes)
}
