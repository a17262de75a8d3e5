//! The state of rooms.

mod get;
mod list;
mod put;

use crate::{Class, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(get::get).add(list::list).add_limited(Class::Message, put::put)
}
