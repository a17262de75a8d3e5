//! Module "Voice over IP".

mod turn_server;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(turn_server::turn_server)
}
