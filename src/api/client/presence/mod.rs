//! Who is there.

mod get;
mod set;

use crate::{Class, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(get::get).add_limited(Class::Presence, set::set)
}
