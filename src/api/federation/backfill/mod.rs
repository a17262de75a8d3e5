//! Backfilling and retrieving missing events.

mod get;
mod missing;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(get::get).add(missing::missing)
}
