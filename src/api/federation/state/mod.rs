//! The state of a room before an event.

mod full;
mod ids;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(full::full).add(ids::ids)
}
