use event::{
    Signer,
    canonical::{Integers, canonicalize},
};
use http::HeaderValue;
use ruma::{ServerName, serde::Base64};

use super::{Call, CallError};

/// The `Authorization` header of a request. Server-server API, "Request authentication".
///
/// # Errors
/// [`CallError::BadRequest`] when the body is no JSON that can be signed.
pub(super) fn authorization(
    signer: &Signer,
    destination: &ServerName,
    call: &Call,
    path_and_query: &str,
) -> Result<HeaderValue, CallError> {
    let bad = |error: &dyn std::fmt::Display| CallError::BadRequest(error.to_string());
    let message = signed_bytes(signer.server_name(), destination, call, path_and_query)?;
    let signature = Base64::parse(signer.sign(&message)).map_err(|error| bad(&error))?;
    let header = ruma::api::federation::authentication::XMatrix::new(
        signer.server_name().clone(),
        destination.to_owned(),
        signer.key_id().clone(),
        signature,
    );
    Ok(HeaderValue::from(&header))
}

/// The canonical JSON that is signed: its keys are in order, and the body is made canonical without a tree of values.
fn signed_bytes(
    origin: &ServerName,
    destination: &ServerName,
    call: &Call,
    path_and_query: &str,
) -> Result<Vec<u8>, CallError> {
    let bad = |error: &dyn std::fmt::Display| CallError::BadRequest(error.to_string());
    let mut message = b"{".to_vec();
    if let Some(body) = &call.body {
        message.extend_from_slice(b"\"content\":");
        message.extend(canonicalize(body, Integers::Lenient).map_err(|error| bad(&error))?);
        message.push(b',');
    }
    let fields = [
        ("destination", destination.as_str()),
        ("method", call.method.as_str()),
        ("origin", origin.as_str()),
        ("uri", path_and_query),
    ];
    for (place, (name, value)) in fields.into_iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        message.extend_from_slice(format!("{comma}\"{name}\":").as_bytes());
        serde_json::to_writer(&mut message, value).map_err(|error| bad(&error))?;
    }
    message.push(b'}');
    Ok(message)
}
