//! Searching messages.

mod answer;
#[expect(clippy::module_inception, reason = "the endpoint is named by its verb")]
mod search;

use crate::{Class, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add_limited(Class::Search, search::search)
}
