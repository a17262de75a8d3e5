//! Single events, what allows them, and events by their time.

mod by_time;
mod event;
mod event_auth;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(event::event).add(event_auth::event_auth).add(by_time::by_time)
}
