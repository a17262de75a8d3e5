//! The addresses of before authenticated media. Downloads under them need no token and are frozen: they serve
//! what is as old as they are, unless `[media] allow_legacy` opens them.

#![expect(deprecated, reason = "the specification still asks for them")]

mod config;
mod download;
mod download_as;
mod preview;
mod thumbnail;

use crate::{Class, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add(config::config)
        .add(download::download)
        .add(download_as::download_as)
        .add(thumbnail::thumbnail)
        .add_limited(Class::Preview, preview::preview)
}
