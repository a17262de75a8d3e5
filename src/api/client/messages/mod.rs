//! The history of rooms.

#[expect(clippy::module_inception, reason = "the endpoint is named by its verb")]
mod messages;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(messages::messages)
}
