//! The server-server API: one folder per module of the specification, one file per endpoint.

mod discovery;
mod keys;
pub(crate) mod openid_userinfo;

use crate::Routes;

/// Every endpoint of the server-server API, one line each.
pub fn routes(routes: Routes) -> Routes {
    let routes = discovery::routes(routes);
    keys::routes(routes)
}
