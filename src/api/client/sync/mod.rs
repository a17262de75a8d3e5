//! Module "Syncing".

mod get;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(get::get)
}
