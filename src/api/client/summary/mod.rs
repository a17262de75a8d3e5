//! Module "Room summaries", and finding events by time.

mod by_time;
mod room_summary;

use http::Method;

use crate::{Routes, routes::Credential};

/// MSC3266 in the form that matrix-js-sdk asks for; the other one is ruma's.
const OLDER: &str = "/_matrix/client/unstable/im.nheko.summary/summary/{room_id_or_alias}";

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add(room_summary::room_summary)
        .add_raw(Method::GET, OLDER, Credential::Optional, room_summary::room_summary)
        .add(by_time::by_time)
}
