//! What application services ask of the server as such.

mod list_room;
mod ping;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(ping::ping).add(list_room::list_room)
}
