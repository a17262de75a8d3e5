//! Encrypted backups of session keys. Client-server API, "Server-side key backups".

use crate::Routes;

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
}
