//! Dehydrated devices. MSC3814.

mod delete;
mod events;
mod get;
mod put;

use http::Method;

use crate::{Credential, Routes};

const DEVICE: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    let events = format!("{DEVICE}/{{device_id}}/events");
    routes
        .add_raw(Method::PUT, DEVICE, Credential::Required, put::put)
        .add_raw(Method::GET, DEVICE, Credential::Required, get::get)
        .add_raw(Method::DELETE, DEVICE, Credential::Required, delete::delete)
        .add_raw(Method::POST, &events, Credential::Required, events::events)
        .add_raw(Method::GET, &events, Credential::Required, events::later_events)
}
