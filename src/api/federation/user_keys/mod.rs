//! Devices and keys of our users. Server-server API, "End-to-End Encryption" and "Device Management".

mod claim;
mod devices;
mod query;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(query::query).add(claim::claim).add(devices::devices)
}
