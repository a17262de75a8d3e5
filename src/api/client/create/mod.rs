//! Module "Creation".

mod create_room;

use crate::{Class, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add_limited(Class::CreateRoom, create_room::create_room)
}
