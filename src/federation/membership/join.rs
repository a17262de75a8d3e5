//! Coming into a room through another server.

use std::sync::Arc;

use base::Turn;
use bytes::Bytes;
use event::{Pdu, RoomVersionRules};
use room::{Ingested, RemoteState, handshake::Handshake};
use ruma::{OwnedRoomId, OwnedServerName, RoomId, RoomVersionId, ServerName, UserId};
use serde_json::{Map, Value};

use super::{MembershipError, Memberships, Result, ask::Wish, state::Entered};

/// A local user who wants to come into a room.
#[derive(Debug, Clone, Copy)]
pub struct Entering<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// Who.
    pub user: &'a UserId,
    /// What the member event says beside the membership: name, picture, reason.
    pub content: &'a Map<String, Value>,
    /// Servers that may be in the room, best first.
    pub via: &'a [OwnedServerName],
}

impl Memberships {
    /// Waits until nobody else enters the room. Who held the turn before may have brought this server into it.
    pub async fn turn(&self, room_id: &RoomId) -> Option<Turn<OwnedRoomId>> {
        self.turns.of(room_id.to_owned()).await
    }

    /// Brings a local user into a room through another server: each is tried until one lets them in. If this server is
    /// in the room already (but cannot let the user in), the join is added to what it has.
    ///
    /// To be called with the room's [`Memberships::turn`].
    ///
    /// # Errors
    /// [`MembershipError::NoServer`], or the most telling of the failures.
    pub async fn join(&self, entering: Entering<'_>) -> Result<()> {
        let mut failure = None;
        for server in self.candidates(entering.room_id, entering.via) {
            match self.join_through(&server, entering).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::info!(%server, room = %entering.room_id, user = %entering.user, %error, "a join failed");
                    failure = Some(MembershipError::worse(failure, error));
                }
            }
        }
        Err(failure.unwrap_or(MembershipError::NoServer))
    }

    async fn join_through(&self, server: &ServerName, entering: Entering<'_>) -> Result<()> {
        let Entering { room_id, user, content, .. } = entering;
        let wish = Wish { room_id, user, content, handshake: Handshake::Join };
        let made = self.make(server, wish, None).await?;
        let rules = rules_of(&made.version)?;
        let reply = self.submit(server, Handshake::Join, &made.pdu).await?;
        let entered = Entered::parse(&reply.body)?;
        let join = match entered.event {
            Some(raw) => self.signed_by_others(&rules, &made.pdu, reply.body.slice_ref(raw.get().as_bytes())).await?,
            None => Arc::new(made.pdu),
        };
        self.check_voucher(&rules, &join)?;
        let remote = self.verified_state(server, made.version.clone(), &reply.body, &entered).await?;
        if self.rooms.takes_part(&self.rooms.db().view(), room_id).await? {
            return self.add_join(room_id, &remote, &join).await;
        }
        self.rooms.install(room_id, &remote, &join).await?;
        Ok(())
    }

    /// Our event with the signatures that another server added.
    pub(super) async fn signed_by_others(
        &self,
        rules: &RoomVersionRules,
        ours: &Pdu,
        theirs: Bytes,
    ) -> Result<Arc<Pdu>> {
        let pdu = self.checks.one(rules, theirs).await?;
        let hash = |pdu: &Pdu| event::reference_hash(pdu.json(), rules);
        if pdu.redacted || hash(&pdu) != hash(ours) {
            return Err(MembershipError::Invalid("the other server changed the event that it was to sign".into()));
        }
        Ok(pdu)
    }

    /// A restricted join without the signature of who vouches for it would be refused by all other servers.
    fn check_voucher(&self, rules: &RoomVersionRules, join: &Pdu) -> Result<()> {
        let required =
            event::verify::needed_keys(join, rules).map_err(|error| MembershipError::Invalid(error.to_string()))?;
        match required.into_iter().find(|(_, keys)| keys.is_empty()) {
            Some((server, _)) => Err(MembershipError::Invalid(format!("{server} did not sign the join"))),
            None => Ok(()),
        }
    }

    /// Adds a join that another server let pass to a room that this server is in.
    async fn add_join(&self, room_id: &RoomId, remote: &RemoteState, join: &Arc<Pdu>) -> Result<()> {
        let became = match self.rooms.ingest(room_id, join, None).await? {
            Ingested::Missing(_) => {
                let all: Vec<_> = remote.auth_chain.iter().chain(&remote.state).cloned().collect();
                self.rooms.ingest_outliers(room_id, &all).await?;
                let view = self.rooms.db().view();
                let mut known = Vec::with_capacity(remote.state.len());
                for pdu in &remote.state {
                    if self.rooms.locate(&view, &pdu.event_id).await?.is_some() {
                        known.push(pdu.event_id.clone());
                    }
                }
                self.rooms.ingest(room_id, join, Some(&known)).await?
            }
            other => other,
        };
        match became {
            Ingested::Accepted(_) | Ingested::Known => Ok(()),
            Ingested::SoftFailed(reason) | Ingested::Rejected(reason) => {
                Err(MembershipError::Room(room::RoomError::Denied(reason)))
            }
            Ingested::Missing(_) => Err(MembershipError::Invalid("the room's state is not complete".into())),
        }
    }
}

/// The rules of a version that another server names.
pub(super) fn rules_of(version: &RoomVersionId) -> Result<RoomVersionRules> {
    event::rules(version).ok_or_else(|| MembershipError::IncompatibleVersion(version.clone()))
}
