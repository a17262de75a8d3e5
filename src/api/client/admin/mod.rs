//! Server administration by the client-server API.

mod destinations;
mod is_locked;
mod is_suspended;
mod lock;
mod notices;
mod suspend;
mod target;
mod whois;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    notices::routes(destinations::routes(routes))
        .add(whois::whois)
        .add(is_locked::is_locked)
        .add(lock::lock)
        .add(is_suspended::is_suspended)
        .add(suspend::suspend)
}
