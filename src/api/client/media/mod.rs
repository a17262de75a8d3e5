//! The content repository: uploads, downloads, thumbnails.

mod config;
mod create;
mod download;
mod download_as;
mod legacy;
mod preview;
pub(crate) mod send;
pub(crate) mod target;
mod thumbnail;
mod upload;
mod upload_to;

use ruma::api::client::media::{create_content, create_content_async};

use crate::{Class, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    let routes = routes
        .add(config::config)
        .add(download::download)
        .add(download_as::download_as)
        .add(thumbnail::thumbnail)
        .add_limited(Class::Preview, preview::preview)
        .add_limited(Class::CreateMedia, create::create)
        .add_as::<create_content::v3::Request, _, _>(upload::upload)
        .add_as::<create_content_async::v3::Request, _, _>(upload_to::upload_to);
    legacy::routes(routes)
}
