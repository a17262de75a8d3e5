//! The policy server of a room: asked before an event of this server is sent; received events are shown if it has signed
//! them. Server-server API, "Policy Servers".

use std::sync::Arc;

use event::{Pdu, RoomVersionRules, verify::POLICY_KEY};
use futures::future::BoxFuture;
use kv::Read;
use ruma::{OwnedServerName, ServerName, SigningKeyAlgorithm, events::room::policy::RoomPolicyEventContent};

use crate::{Outgoing, Result, RoomError, Rooms, num::RoomNum};

/// The type of the state event that names a policy server.
const POLICY: &str = "m.room.policy";

/// Who decides, beside the rules, what a room shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyServer {
    /// Its name.
    pub server: OwnedServerName,
    /// The ed25519 key that it signs with.
    pub key: [u8; 32],
}

/// Why a policy server has not signed an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyError {
    /// It answered that it does not, with this status and body.
    Refused {
        /// An HTTP status.
        status: u16,
        /// JSON for the client.
        body: String,
    },
    /// It could not be asked, or its signature is wrong.
    Unavailable(String),
}

/// Asks policy servers.
pub trait AskPolicy: Send + Sync {
    /// The signature of `server` for an event, in base64. `POST /_matrix/policy/v1/sign`.
    fn ask<'a>(&'a self, server: &'a ServerName, pdu: &'a Pdu) -> BoxFuture<'a, Result<String, PolicyError>>;
}

impl Rooms {
    /// Asks policy servers with `ask`; without this nobody is asked.
    #[must_use]
    pub fn with_policy_servers(mut self, ask: Arc<dyn AskPolicy>) -> Self {
        self.ask_policy = Some(ask);
        self
    }

    /// The policy server of a room, if one is named that is in the room. We are none ourselves.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn policy_server(&self, read: &impl Read, room: RoomNum) -> Result<Option<PolicyServer>> {
        if self.ask_policy.is_none() {
            return Ok(None);
        }
        let tip = self.tip(read, room).await?;
        let Some(event) = self.state_event(read, room, tip.state, POLICY, "").await? else { return Ok(None) };
        let content: Option<RoomPolicyEventContent> = serde_json::from_str(event.content.get()).ok();
        let Some(content) = content.filter(|content| content.via != self.server()) else { return Ok(None) };
        let key = content.public_keys.get(&SigningKeyAlgorithm::Ed25519).and_then(|key| key.as_bytes().try_into().ok());
        let Some(key) = key else { return Ok(None) };
        let is_in = self.server_is_in(read, room, &content.via).await?;
        Ok(is_in.then_some(PolicyServer { server: content.via, key }))
    }

    /// The event with the policy server's signature, which is asked for if it is not there.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub async fn recommended(
        &self,
        policy: &PolicyServer,
        rules: &RoomVersionRules,
        pdu: &Arc<Pdu>,
    ) -> Result<Arc<Pdu>, PolicyError> {
        let PolicyServer { server, key } = policy;
        // Whoever may name another policy server must not need the old one for it.
        if pdu.is_state(&POLICY.into(), "") || event::verify::is_recommended(pdu, rules, server, key) {
            return Ok(pdu.clone());
        }
        let unavailable = |reason: &str| PolicyError::Unavailable(reason.to_owned());
        let ask = self.ask_policy.as_ref().ok_or_else(|| unavailable("nobody can be asked"))?;
        let signature = ask.ask(server, pdu).await?;
        let signed = pdu.with_signature((server.as_str(), POLICY_KEY), &signature, rules);
        let signed = signed.map_err(|error| PolicyError::Unavailable(error.to_string()))?;
        match event::verify::is_recommended(&signed, rules, server, key) {
            true => Ok(Arc::new(signed)),
            false => Err(unavailable("the policy server signs with another key than the room's state names")),
        }
    }

    /// The policy server that has to be asked about an event of this server.
    pub(crate) async fn policy_for(&self, room: RoomNum, out: &Outgoing) -> Result<Option<PolicyServer>> {
        if out.draft.kind.to_string() == POLICY && out.draft.state_key.as_deref() == Some("") {
            return Ok(None);
        }
        self.policy_server(&self.db.view(), room).await
    }
}

impl From<PolicyError> for RoomError {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Refused { status, body } => Self::NotRecommended { status, body },
            PolicyError::Unavailable(reason) => Self::PolicyUnavailable(reason),
        }
    }
}
