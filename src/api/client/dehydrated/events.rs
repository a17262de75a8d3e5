use std::sync::Arc;

use axum::extract::{Query, State, rejection::QueryRejection};
use e2ee::Dehydrated;
use ruma::{OwnedDeviceId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sync::Sync;

use crate::{Caller, JsonBody, MatrixError, PathArgs, RawReply};

/// What a client sends.
#[derive(Deserialize)]
pub struct Body {
    next_batch: Option<String>,
}

/// What a client asks by the later form of the endpoint.
#[derive(Deserialize)]
pub struct Args {
    from: Option<String>,
}

/// What is answered.
#[derive(Serialize)]
struct Answer {
    events: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
}

/// How a client finds out that there are no more events.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// It gets none.
    NoEvents,
    /// It is not told where to go on.
    NoToken,
}

/// `POST /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events`
pub async fn events(
    State(dehydrated): State<Dehydrated>,
    State(sync): State<Arc<Sync>>,
    Caller { user, .. }: Caller,
    PathArgs(device): PathArgs<OwnedDeviceId>,
    JsonBody(body): JsonBody<Body>,
) -> Result<RawReply, MatrixError> {
    answer(&dehydrated, &sync, &user, &device, body.next_batch.as_deref(), End::NoEvents).await
}

/// `GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events`
pub async fn later_events(
    State(dehydrated): State<Dehydrated>,
    State(sync): State<Arc<Sync>>,
    Caller { user, .. }: Caller,
    PathArgs(device): PathArgs<OwnedDeviceId>,
    args: Result<Query<Args>, QueryRejection>,
) -> Result<RawReply, MatrixError> {
    let Query(args) = args.map_err(|error| MatrixError::invalid_param(error.body_text()))?;
    answer(&dehydrated, &sync, &user, &device, args.from.as_deref(), End::NoToken).await
}

async fn answer(
    dehydrated: &Dehydrated,
    sync: &Sync,
    user: &UserId,
    device: &OwnedDeviceId,
    from: Option<&str>,
    end: End,
) -> Result<RawReply, MatrixError> {
    let since = sync.since(from)?;
    let (messages, upto, more) = dehydrated.events(user, device, since.as_ref()).await?;
    let events: Result<_, _> = messages.into_iter().map(RawValue::from_string).collect();
    let events = events.map_err(|error| MatrixError::internal(&error))?;
    let next_batch = (more || end == End::NoEvents).then(|| sync.token(&upto));
    let answer = Answer { events, next_batch };
    Ok(serde_json::to_vec(&answer).map_err(|error| MatrixError::internal(&error))?.into())
}
