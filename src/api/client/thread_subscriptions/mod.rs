//! Which threads the user follows: MSC4306 and MSC4308.

mod delete;
mod get;
mod list;
mod put;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(get::get).add(put::put).add(delete::delete).add(list::list)
}
