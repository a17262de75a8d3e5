//! Filters that are named by an id.

mod create;
mod get;

use ruma::api::client::filter::create_filter;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add_as::<create_filter::v3::Request, _, _>(create::create).add(get::get)
}
