use std::{any::Any, panic::AssertUnwindSafe};

use axum::response::{IntoResponse, Response};
use futures::FutureExt;

use crate::MatrixError;

/// A handler that panics answers 500; others go on.
pub(super) async fn caught(handler: impl Future<Output = Response>) -> Response {
    match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => MatrixError::internal(&format_args!("panic: {}", message(&*panic))).into_response(),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("of unknown type")
}
