//! The whole router, from what a listener serves.

use axum::{Router, extract::Request, middleware::Next};

use crate::{
    AppState, MatrixError, Routes, client,
    federation::{self, openid_userinfo},
    middleware,
};

/// Which of the APIs a listener serves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Serves {
    /// The client-server API.
    pub client: bool,
    /// The server-server API.
    pub federation: bool,
}

impl Serves {
    /// The endpoints of these APIs.
    pub fn routes(self) -> Routes {
        let mut routes = Routes::new();
        if self.client || self.federation {
            // Widgets and calls need it where federation is off, too.
            routes = openid_userinfo::routes(routes);
        }
        if self.client {
            routes = client::routes(routes);
        }
        if self.federation {
            routes = federation::routes(routes);
        }
        routes
    }
}

/// The router of `routes` with everything around it.
pub fn router(routes: Routes, state: AppState) -> Router {
    let (ids, limits) = (middleware::RequestIds::new(), state.limits.clone());
    routes
        .into_router()
        .method_not_allowed_fallback(async || MatrixError::wrong_method())
        .fallback(async || MatrixError::unrecognized())
        .layer(axum::middleware::from_fn(move |request: Request, next: Next| {
            middleware::around(ids.clone(), limits.clone(), request, next)
        }))
        .with_state(state)
}
