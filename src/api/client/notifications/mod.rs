//! Events that notified the user.

mod list;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(list::list)
}
