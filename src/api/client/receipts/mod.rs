//! Read receipts and the marker of what is fully read.

mod markers;
mod send;

use ruma::api::client::receipt::create_receipt;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add_as::<create_receipt::v3::Request, _, _>(send::send).add(markers::markers)
}
