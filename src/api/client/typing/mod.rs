//! Who is typing.

mod set;

use ruma::api::client::typing::create_typing_event;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add_as::<create_typing_event::v3::Request, _, _>(set::set)
}
