//! Module "Room upgrades".

mod upgrade_room;

use crate::{Class, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add_limited(Class::CreateRoom, upgrade_room::upgrade_room)
}
