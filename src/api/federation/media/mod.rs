//! Content repository: media of this server, for others.

mod download;
mod multipart;
mod thumbnail;

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes.add(download::download).add(thumbnail::thumbnail)
}
