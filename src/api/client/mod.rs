//! The client-server API: one folder per module of the specification, one file per endpoint.

mod account;
mod account_data;
mod admin;
mod auth;
mod capabilities;
mod create;
mod dehydrated;
mod devices;
pub(crate) mod directory;
mod discovery;
mod events;
mod filter;
mod key_backup;
mod keys;
pub(crate) mod media;
mod membership;
mod messages;
mod notifications;
mod own;
pub(crate) mod point;
mod presence;
mod profile;
mod push_rules;
mod pushers;
mod reader;
mod receipts;
mod redact;
mod register;
mod relations;
mod send;
mod session;
mod spaces;
mod state;
mod summary;
mod sync;
mod threads;
mod to_device;
mod typing;
mod upgrade;
mod user_directory;
mod voip;
mod well_known;
pub(crate) mod written;

use crate::Routes;

/// Every endpoint of the client-server API, one line each.
pub fn routes(routes: Routes) -> Routes {
    let routes = discovery::routes(routes);
    let routes = well_known::routes(routes);
    let routes = session::routes(routes);
    let routes = register::routes(routes);
    let routes = account::routes(routes);
    let routes = devices::routes(routes);
    let routes = dehydrated::routes(routes);
    let routes = profile::routes(routes);
    let routes = account_data::routes(routes);
    let routes = filter::routes(routes);
    let routes = capabilities::routes(routes);
    let routes = admin::routes(routes);
    let routes = keys::routes(routes);
    let routes = key_backup::routes(routes);
    let routes = to_device::routes(routes);
    let routes = create::routes(routes);
    let routes = membership::routes(routes);
    let routes = directory::routes(routes);
    let routes = upgrade::routes(routes);
    let routes = summary::routes(routes);
    let routes = spaces::routes(routes);
    let routes = send::routes(routes);
    let routes = state::routes(routes);
    let routes = redact::routes(routes);
    let routes = messages::routes(routes);
    let routes = events::routes(routes);
    let routes = relations::routes(routes);
    let routes = threads::routes(routes);
    let routes = sync::routes(routes);
    let routes = user_directory::routes(routes);
    let routes = push_rules::routes(routes);
    let routes = pushers::routes(routes);
    let routes = notifications::routes(routes);
    let routes = receipts::routes(routes);
    let routes = typing::routes(routes);
    let routes = presence::routes(routes);
    let routes = voip::routes(routes);
    media::routes(routes)
}
