//! Spaces.

mod hierarchy;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(hierarchy::hierarchy)
}
