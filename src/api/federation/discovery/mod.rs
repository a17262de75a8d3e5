//! What servers want to know of each other before they talk.

mod version;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(version::version)
}
