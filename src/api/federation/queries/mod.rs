//! Queries: where an alias leads, who somebody is.

mod directory;
mod other;
mod profile;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(directory::directory).add(profile::profile).add(other::other)
}
