//! Logging in and out.

mod login;
mod login_token;
mod login_types;
mod logout;
mod logout_all;
mod refresh;

use ruma::api::client::session::{get_login_token, login as login_request};

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add(login_types::login_types)
        .add_as::<login_request::v3::Request, _, _>(login::login)
        .add_as::<get_login_token::v1::Request, _, _>(login_token::login_token)
        .add(refresh::refresh)
        .add_while_locked(logout::logout)
        .add_while_locked(logout_all::logout_all)
}
