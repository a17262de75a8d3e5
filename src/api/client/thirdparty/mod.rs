//! Networks that application services bridge to, as these describe them.

mod location_of_alias;
mod locations;
mod protocol;
mod protocols;
mod user_of_id;
mod users;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add(protocols::protocols)
        .add(protocol::protocol)
        .add(locations::locations)
        .add(location_of_alias::location_of_alias)
        .add(users::users)
        .add(user_of_id::user_of_id)
}
