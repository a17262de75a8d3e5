//! Keys of devices and users. Client-server API, "End-to-end encryption".

mod changes;
mod claim;
mod query;
mod remote;
mod sign;
mod upload;
mod upload_signing;

use ruma::api::client::keys;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add_as::<keys::upload_keys::v3::Request, _, _>(upload::upload)
        .add_as::<keys::get_keys::v3::Request, _, _>(query::query)
        .add_as::<keys::claim_keys::v3::Request, _, _>(claim::claim)
        .add(changes::changes)
        .add_as::<keys::upload_signing_keys::v3::Request, _, _>(upload_signing::upload_signing)
        .add_as::<keys::upload_signatures::v3::Request, _, _>(sign::sign)
}
