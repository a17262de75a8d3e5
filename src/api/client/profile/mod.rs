//! Profiles.

mod delete_field;
mod get;
mod get_field;
mod set_field;

use ruma::api::client::profile::set_profile_field;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add(get::get)
        .add(get_field::get_field)
        .add_as::<set_profile_field::v3::Request, _, _>(set_field::set_field)
        .add(delete_field::delete_field)
}
