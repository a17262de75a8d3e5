//! Push rules.

mod actions;
mod all;
mod delete;
mod enabled;
mod get;
mod global;
mod put;
mod set_actions;
mod set_enabled;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add(all::all)
        .add(global::global)
        .add(get::get)
        .add(put::put)
        .add(delete::delete)
        .add(enabled::enabled)
        .add(set_enabled::set_enabled)
        .add(actions::actions)
        .add(set_actions::set_actions)
}
