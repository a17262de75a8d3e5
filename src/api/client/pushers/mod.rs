//! Pushers: where a user's notifications go.

mod list;
mod set;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(list::list).add(set::set)
}
