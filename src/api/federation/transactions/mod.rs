//! Server-server API, "Transactions".

mod send;

use federation::inbound::MAX_TRANSACTION_BYTES;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add_sized(MAX_TRANSACTION_BYTES, send::send)
}
