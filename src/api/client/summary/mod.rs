//! Module "Room summaries", and finding events by time.

mod by_time;
mod room_summary;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(room_summary::room_summary).add(by_time::by_time)
}
