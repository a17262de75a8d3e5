//! Messages to devices.

mod send;

use ruma::api::client::to_device::send_event_to_device::v3::Request;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add_as::<Request, _, _>(send::send)
}
