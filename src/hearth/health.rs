//! `/health` and `/metrics`.

use axum::{Router, routing::get};
use http::{StatusCode, header};
use kv::Db;

use crate::server::Metrics;

/// Answers 200 while the database can be read.
pub(crate) fn health(db: Db) -> Router {
    // The epoch is there since the start, so this reads and writes nothing.
    let check = async move || match kv::schema::epoch(&db, "").await {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(error) => {
            tracing::error!(%error, "the database cannot be read");
            (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be read\n")
        }
    };
    Router::new().route("/health", get(check))
}

/// The figures of this process for Prometheus.
pub(crate) fn metrics(metrics: Metrics) -> Router {
    let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Router::new().route("/metrics", get(async move || (text, metrics.render())))
}
