//! Events that refer to an event.

mod all;
mod of_kind;
mod of_type;
mod page;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(all::all).add(of_type::of_type).add(of_kind::of_kind)
}
