//! The user directory.

mod search;

use crate::{Class, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add_limited(Class::UserDirectory, search::search)
}
