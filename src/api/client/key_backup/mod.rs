//! Encrypted backups of session keys. Client-server API, "Server-side key backups".

mod body;
mod create;
mod delete;
mod delete_keys;
mod get;
mod get_keys;
mod latest;
mod put_keys;
mod update;
mod written;

use ruma::api::client::backup as api;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add_as::<api::create_backup_version::v3::Request, _, _>(create::create)
        .add(latest::latest)
        .add(get::get)
        .add_as::<api::update_backup_version::v3::Request, _, _>(update::update)
        .add(delete::delete)
        .add_as::<api::add_backup_keys::v3::Request, _, _>(put_keys::all)
        .add_as::<api::add_backup_keys_for_room::v3::Request, _, _>(put_keys::room)
        .add_as::<api::add_backup_keys_for_session::v3::Request, _, _>(put_keys::session)
        .add(get_keys::all)
        .add(get_keys::room)
        .add(get_keys::session)
        .add(delete_keys::all)
        .add(delete_keys::room)
        .add(delete_keys::session)
}
