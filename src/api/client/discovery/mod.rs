//! What this server can do.

mod versions;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(versions::versions)
}
