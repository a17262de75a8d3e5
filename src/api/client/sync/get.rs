use std::{sync::Arc, time::Duration};

use account::Filters;
use axum::extract::{FromRequestParts, Query, State};
use ephemeral::PresenceState;
use http::request::Parts;
use ruma::{
    UserId,
    api::client::{
        filter::FilterDefinition,
        sync::sync_events::v3::{Filter, Request},
    },
    presence::PresenceState as SetPresence,
};
use serde::Deserialize;
use sync::{StateAfter, Sync, Wants};

use crate::{Authed, MatrixError, RawReply, Stopping};

/// `GET /_matrix/client/v3/sync`
pub async fn get(
    State(sync): State<Arc<Sync>>,
    State(filters): State<Filters>,
    State(mut stopping): State<Stopping>,
    before_spec: BeforeSpec,
    Authed { user, device, req, .. }: Authed<Request>,
) -> Result<RawReply, MatrixError> {
    let filter = resolve(&filters, &user, req.filter).await?;
    let mut request = sync::Request {
        user,
        device,
        since: req.since,
        timeout: req.timeout.unwrap_or_default(),
        wants: Wants::new(&filter),
        full_state: req.full_state,
        state_after: before_spec.state_after(req.use_state_after),
        presence: presence(&req.set_presence),
    };
    let answer = tokio::select! {
        answer = sync.sync(&request) => Some(answer?),
        () = stopping.wait() => None,
    };
    if let Some(answer) = answer {
        return Ok(answer.into());
    }
    // Who waits gets an empty answer instead of a broken connection.
    request.timeout = Duration::ZERO;
    Ok(sync.sync(&request).await?.into())
}

/// What clients asked for before the specification had it, and still do.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct BeforeSpec {
    #[serde(default, rename = "org.matrix.msc4222.use_state_after")]
    use_state_after: bool,
}

impl BeforeSpec {
    /// MSC4222: who asks by its name knows the answer by no other.
    fn state_after(self, stable: bool) -> Option<StateAfter> {
        if stable { Some(StateAfter::Stable) } else { self.use_state_after.then_some(StateAfter::Unstable) }
    }
}

impl<S: Send + std::marker::Sync> FromRequestParts<S> for BeforeSpec {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MatrixError> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(asked),
            Err(_) => Err(MatrixError::invalid_param("org.matrix.msc4222.use_state_after is true or false")),
        }
    }
}

/// The filter itself, wherever it was given.
async fn resolve(filters: &Filters, user: &UserId, filter: Option<Filter>) -> Result<FilterDefinition, MatrixError> {
    let id = match filter {
        None => return Ok(FilterDefinition::default()),
        Some(Filter::FilterDefinition(filter)) => return Ok(filter),
        Some(Filter::FilterId(id)) => id,
        Some(_) => return Err(MatrixError::invalid_param("filter is neither an id nor a filter")),
    };
    let stored = filters.get(user, &id).await?;
    let json = stored.ok_or_else(|| MatrixError::invalid_param("there is no filter with this id"))?;
    serde_json::from_str(&json).map_err(|error| MatrixError::internal(&error))
}

fn presence(wanted: &SetPresence) -> PresenceState {
    match wanted {
        SetPresence::Offline => PresenceState::Offline,
        SetPresence::Unavailable => PresenceState::Unavailable,
        _ => PresenceState::Online,
    }
}
