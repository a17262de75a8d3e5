//! The server-server API: one folder per module of the specification, one file per endpoint.

mod backfill;
mod directory;
mod discovery;
mod events;
mod keys;
mod media;
mod membership;
pub(crate) mod openid_userinfo;
mod queries;
mod spaces;
mod state;
mod transactions;
mod user_keys;

use crate::Routes;

/// Every endpoint of the server-server API, one line each.
pub fn routes(routes: Routes) -> Routes {
    let routes = transactions::routes(routes);
    let routes = discovery::routes(routes);
    let routes = keys::routes(routes);
    let routes = events::routes(routes);
    let routes = state::routes(routes);
    let routes = backfill::routes(routes);
    let routes = queries::routes(routes);
    let routes = directory::routes(routes);
    let routes = spaces::routes(routes);
    let routes = user_keys::routes(routes);
    let routes = membership::routes(routes);
    media::routes(routes)
}
