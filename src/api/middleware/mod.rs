//! What happens around every request: id, log line, metrics, CORS, panics, how much is not read.

mod cors;
mod panics;
mod request_id;
mod unread;

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode};
use tracing::Instrument;

use crate::{MatrixError, Peer, RateLimits};

pub(crate) use request_id::RequestIds;

/// Wraps every route and the answers for unknown ones.
pub(crate) async fn around(ids: RequestIds, limits: RateLimits, request: Request, next: Next) -> Response {
    let id = ids.next();
    let method = request.method().clone();
    if method == Method::OPTIONS {
        return finish(StatusCode::OK.into_response(), &id);
    }
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unknown", MatchedPath::as_str);
    let server = route.starts_with("/_matrix/federation/").then(|| Peer::of(request.extensions()));
    let span = tracing::info_span!("request", %id, %method, route);
    let started = Instant::now();
    let answered = panics::caught(next.run(request)).instrument(span.clone());
    let response = match method.is_safe() {
        true => answered.await,
        // By itself, so that a client that goes away leaves nothing half done.
        false => match tokio::spawn(answered).await {
            Ok(response) => response,
            Err(error) => MatrixError::internal(&error).into_response(),
        },
    };
    let response = match server {
        Some(server) => unread::bounded(&limits, server, response).await,
        None => response,
    };
    let took = started.elapsed();
    let status = response.status().as_u16();
    span.in_scope(|| tracing::debug!(status, took_us = took.as_micros(), "answered"));
    let labels = [("method", method.to_string()), ("route", route.to_owned()), ("status", status.to_string())];
    metrics::counter!("hearth_http_requests_total", &labels).increment(1);
    metrics::histogram!("hearth_http_request_seconds", "route" => route.to_owned()).record(took.as_secs_f64());
    finish(response, &id)
}

fn finish(mut response: Response, id: &str) -> Response {
    cors::allow(response.headers_mut());
    request_id::name(response.headers_mut(), id);
    response
}
