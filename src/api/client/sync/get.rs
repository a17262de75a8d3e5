use std::time::Duration;

use account::Filters;
use axum::extract::State;
use ephemeral::PresenceState;
use ruma::{
    UserId,
    api::client::{
        filter::FilterDefinition,
        sync::sync_events::v3::{Filter, Request},
    },
    presence::PresenceState as SetPresence,
};
use sync::{Sync, Wants};

use crate::{Authed, MatrixError, RawReply, Stopping};

/// `GET /_matrix/client/v3/sync`
pub async fn get(
    State(sync): State<Sync>,
    State(filters): State<Filters>,
    State(mut stopping): State<Stopping>,
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
        use_state_after: req.use_state_after,
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
