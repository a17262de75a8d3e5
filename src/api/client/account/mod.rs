//! The caller's own account.

mod change_password;
mod deactivate;
mod openid_token;
mod threepid;
mod whoami;

use ruma::api::client::account;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    let routes = routes
        .add(whoami::whoami)
        .add_as::<account::change_password::v3::Request, _, _>(change_password::change_password)
        .add_as::<account::deactivate::v3::Request, _, _>(deactivate::deactivate)
        .add(openid_token::openid_token);
    threepid::routes(routes)
}
