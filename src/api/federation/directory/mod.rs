//! The published list of rooms.

mod public_rooms;
mod search_public_rooms;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(public_rooms::public_rooms).add(search_public_rooms::search_public_rooms)
}
