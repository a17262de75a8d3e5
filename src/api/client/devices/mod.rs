//! The caller's devices.

mod delete;
mod delete_many;
mod get;
mod list;
mod update;

use account::Device;
use ruma::{MilliSecondsSinceUnixEpoch, UInt, api::client::device};

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add(list::list)
        .add(get::get)
        .add(update::update)
        .add_as::<device::delete_device::v3::Request, _, _>(delete::delete)
        .add_as::<device::delete_devices::v3::Request, _, _>(delete_many::delete_many)
}

/// A device as clients see it.
fn shown(device: Device) -> device::Device {
    let mut shown = device::Device::new(device.id);
    shown.display_name = device.display_name;
    shown.last_seen_ip = device.seen_ip;
    shown.last_seen_ts = device.seen_at.and_then(|at| UInt::try_from(at).ok()).map(MilliSecondsSinceUnixEpoch);
    shown
}
