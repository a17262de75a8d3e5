//! The list of routes, one line per endpoint: method, paths and credential come from ruma's metadata.

use std::collections::HashMap;

use axum::{
    Extension, Router,
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};
use http::Method;
use ruma::api::{
    IncomingRequest,
    auth_scheme::{
        AccessToken, AccessTokenOptional, AppserviceToken, AppserviceTokenOptional, NoAccessToken, NoAuthentication,
    },
    federation::authentication::ServerSignatures,
    path_builder::PathBuilder,
};

use crate::{AppState, Authed, Class, MaxBody, MaybeAuthed, Public, Signed, auth::WhileLocked};

/// What an endpoint wants to know about its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    None,
    /// An access token, if there is one.
    Optional,
    /// An access token.
    Required,
    /// The signature of another server.
    Server,
}

/// One method on one path.
#[derive(Debug, Clone)]
pub struct RouteInfo {
    /// `GET`, `PUT`, `POST` or `DELETE`.
    pub method: Method,
    /// With its variables in braces.
    pub path: String,
    /// What it asks for.
    pub credential: Credential,
}

/// Collects endpoints into a router and the list of what is served.
#[derive(Debug, Default)]
pub struct Routes {
    router: Router<AppState>,
    served: Vec<RouteInfo>,
    /// Paths by their shape: the router takes one spelling of the variables for each.
    spellings: HashMap<String, String>,
}

impl Routes {
    /// No routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an endpoint under all paths that ruma knows for it.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "nobody adds routes with a plus sign")]
    pub fn add<H, T>(self, handler: H) -> Self
    where
        H: Handler<T, AppState> + Sync,
        T: Endpoint,
    {
        self.register::<T::Request>(|filter| on(filter, handler.clone()))
    }

    /// Adds an endpoint whose every request takes a token from the caller's bucket of `class`.
    #[must_use]
    pub fn add_limited<H, T>(self, class: Class, handler: H) -> Self
    where
        H: Handler<T, AppState> + Sync,
        T: Endpoint,
    {
        self.register::<T::Request>(|filter| on(filter, handler.clone()).layer(Extension(class)))
    }

    /// Adds an endpoint that locked accounts may use as well. Client-server API, "Account locking".
    #[must_use]
    pub fn add_while_locked<H, T>(self, handler: H) -> Self
    where
        H: Handler<T, AppState> + Sync,
        T: Endpoint,
    {
        self.register::<T::Request>(|filter| on(filter, handler.clone()).layer(Extension(WhileLocked)))
    }

    /// Adds an endpoint of other servers whose body may have up to `bytes` bytes.
    #[must_use]
    pub fn add_sized<H, T>(self, bytes: usize, handler: H) -> Self
    where
        H: Handler<T, AppState> + Sync,
        T: Endpoint,
    {
        self.register::<T::Request>(|filter| on(filter, handler.clone()).layer(Extension(MaxBody(bytes))))
    }

    /// Adds an endpoint under the paths of the ruma request `R` whose handler reads the request itself.
    #[must_use]
    pub fn add_as<R, H, T>(self, handler: H) -> Self
    where
        R: IncomingRequest<Authentication: Scheme>,
        H: Handler<T, AppState> + Sync,
        T: 'static,
    {
        self.register::<R>(|filter| on(filter, handler.clone()))
    }

    /// Adds an endpoint that ruma does not know.
    #[must_use]
    pub fn add_raw<H, T>(self, method: Method, path: &str, credential: Credential, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let filter = filter(&method);
        self.route(method, path, credential, on(filter, handler))
    }

    /// Everything that is served.
    pub fn served(&self) -> &[RouteInfo] {
        &self.served
    }

    /// The router of all that was added.
    pub fn into_router(self) -> Router<AppState> {
        self.router
    }

    fn register<R>(mut self, handler: impl Fn(MethodFilter) -> MethodRouter<AppState>) -> Self
    where
        R: IncomingRequest<Authentication: Scheme>,
    {
        for path in R::PATH_BUILDER.all_paths() {
            let credential = <R::Authentication as Scheme>::CREDENTIAL;
            // The specification lets an empty state key, and the slash before it, be left out.
            let short = path.strip_suffix("/{state_key}");
            for path in [Some(path.to_owned()), short.map(str::to_owned), short.map(|path| format!("{path}/"))] {
                let Some(path) = path else { continue };
                self = self.route(R::METHOD, &path, credential, handler(filter(&R::METHOD)));
            }
        }
        self
    }

    fn route(mut self, method: Method, path: &str, credential: Credential, handler: MethodRouter<AppState>) -> Self {
        let path = self.spellings.entry(shape(path)).or_insert_with(|| path.to_owned()).clone();
        self.router = self.router.route(&path, handler);
        self.served.push(RouteInfo { method, path, credential });
        self
    }
}

/// `path` with nameless variables.
fn shape(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "{}".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn filter(method: &Method) -> MethodFilter {
    MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::TRACE)
}

/// A ruma authentication scheme in our terms.
pub trait Scheme {
    /// What it asks for.
    const CREDENTIAL: Credential;
}

impl Scheme for NoAuthentication {
    const CREDENTIAL: Credential = Credential::None;
}
impl Scheme for NoAccessToken {
    const CREDENTIAL: Credential = Credential::None;
}
impl Scheme for AccessTokenOptional {
    const CREDENTIAL: Credential = Credential::Optional;
}
impl Scheme for AppserviceTokenOptional {
    const CREDENTIAL: Credential = Credential::Optional;
}
impl Scheme for AccessToken {
    const CREDENTIAL: Credential = Credential::Required;
}
impl Scheme for AppserviceToken {
    const CREDENTIAL: Credential = Credential::Required;
}
impl Scheme for ServerSignatures {
    const CREDENTIAL: Credential = Credential::Server;
}

/// An argument that decodes a ruma request.
pub trait Decodes {
    /// The request.
    type Request: IncomingRequest<Authentication: Scheme>;
}

impl<R: IncomingRequest<Authentication: Scheme>> Decodes for Authed<R> {
    type Request = R;
}
impl<R: IncomingRequest<Authentication: Scheme>> Decodes for MaybeAuthed<R> {
    type Request = R;
}
impl<R: IncomingRequest<Authentication: Scheme>> Decodes for Signed<R> {
    type Request = R;
}
impl<R: IncomingRequest<Authentication: Scheme>> Decodes for Public<R> {
    type Request = R;
}

/// The arguments of a handler, as axum names them; the last one decodes the request.
pub trait Endpoint: 'static {
    /// The request.
    type Request: IncomingRequest<Authentication: Scheme>;
}

macro_rules! endpoint {
    ($($argument:ident),*) => {
        impl<M: 'static, $($argument: 'static,)* D: Decodes + 'static> Endpoint for (M, $($argument,)* D) {
            type Request = D::Request;
        }
    };
}

endpoint!();
endpoint!(A);
endpoint!(A, B);
endpoint!(A, B, C);
endpoint!(A, B, C, E);
endpoint!(A, B, C, E, F);
endpoint!(A, B, C, E, F, G);
endpoint!(A, B, C, E, F, G, H);
