//! The state of a room as another server sends it, verified.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use event::Pdu;
use room::RemoteState;
use ruma::{RoomVersionId, ServerName};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{MembershipError, Memberships, Result, join::rules_of};

/// Most events of a state and its auth chain.
const MAX_EVENTS: usize = 1_000_000;

/// An answer to `send_join`.
#[derive(Deserialize)]
pub(super) struct Entered<'a> {
    #[serde(borrow)]
    state: Vec<&'a RawValue>,
    #[serde(borrow)]
    auth_chain: Vec<&'a RawValue>,
    #[serde(default)]
    members_omitted: bool,
    #[serde(borrow, default)]
    pub event: Option<&'a RawValue>,
}

impl<'a> Entered<'a> {
    pub(super) fn parse(body: &'a Bytes) -> Result<Self> {
        let entered: Self = serde_json::from_slice(body)
            .map_err(|error| MembershipError::Invalid(format!("the answer to the join is malformed: {error}")))?;
        if entered.members_omitted {
            return Err(MembershipError::Invalid("the other server left out members though it was to send all".into()));
        }
        if entered.state.len() + entered.auth_chain.len() > MAX_EVENTS {
            return Err(MembershipError::Invalid("the room has too many state events".into()));
        }
        Ok(entered)
    }
}

impl Memberships {
    /// Verifies the events of an answer to a join. Those that are not to be believed are left out: what the room's
    /// rules say of the rest is decided afterwards.
    pub(super) async fn verified_state(
        &self,
        server: &ServerName,
        version: RoomVersionId,
        body: &Bytes,
        entered: &Entered<'_>,
    ) -> Result<RemoteState> {
        let rules = rules_of(&version)?;
        // Most of the state is in the auth chain as well: each event is checked once.
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        let mut all = Vec::new();
        for raw in entered.state.iter().chain(&entered.auth_chain) {
            let bytes = raw.get().as_bytes();
            places.entry(bytes).or_insert_with(|| {
                all.push(body.slice_ref(bytes));
                all.len() - 1
            });
        }
        let checked = self.checks.verified(&rules, all).await;
        let mut refused = 0_usize;
        let mut good: Vec<Option<Arc<Pdu>>> = Vec::with_capacity(checked.len());
        for result in checked {
            match result {
                Ok(pdu) => good.push(Some(pdu)),
                Err(error) => {
                    refused += 1;
                    tracing::debug!(%server, event = ?error.event_id, %error, "an event of a room's state was refused");
                    good.push(None);
                }
            }
        }
        if refused > 0 {
            tracing::info!(%server, refused, "events of a room's state were refused");
        }
        let pick = |raws: &[&RawValue], seen: &mut HashSet<usize>| {
            let mut picked = Vec::with_capacity(raws.len());
            for raw in raws {
                let at = places.get(raw.get().as_bytes()).copied().filter(|at| seen.insert(*at));
                picked.extend(at.and_then(|at| good.get(at).cloned().flatten()));
            }
            picked
        };
        let mut seen = HashSet::new();
        let state = pick(&entered.state, &mut seen);
        let auth_chain = pick(&entered.auth_chain, &mut seen);
        Ok(RemoteState { version, state, auth_chain })
    }
}
