//! Creating accounts.

mod available;
mod by_secret;
mod nonce;
#[allow(clippy::module_inception, reason = "the verb of the endpoint is the name of its module")]
mod register;
mod token_validity;

use http::Method;

use crate::{Class, Credential, Routes};

/// Where programs that know the shared secret register.
const BY_SECRET: &str = "/_synapse/admin/v1/register";

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add(register::register)
        .add(available::available)
        .add_limited(Class::RegistrationToken, token_validity::token_validity)
        .add_raw(Method::GET, BY_SECRET, Credential::None, nonce::nonce)
        .add_raw(Method::POST, BY_SECRET, Credential::None, by_secret::by_secret)
}
