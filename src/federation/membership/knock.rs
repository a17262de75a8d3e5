//! Asking to be let into a room elsewhere.

use std::sync::Arc;

use room::{Invitation, handshake::Handshake};
use ruma::ServerName;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Entering, MembershipError, Memberships, Result, ask::Wish, join::rules_of, serve_invite::stripped};

/// An answer to `send_knock`.
#[derive(Deserialize)]
struct Knocked {
    #[serde(default, alias = "knock_state_events")]
    knock_room_state: Vec<Box<RawValue>>,
}

impl Memberships {
    /// Lets a local user knock on a room that this server is not in; each server is tried until one takes the knock.
    ///
    /// # Errors
    /// [`MembershipError::NoServer`], or the most telling of the failures.
    pub async fn knock(&self, entering: Entering<'_>) -> Result<()> {
        let mut failure = None;
        for server in self.candidates(entering.room_id, entering.via) {
            match self.knock_through(&server, entering).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::info!(%server, room = %entering.room_id, user = %entering.user, %error, "a knock failed");
                    failure = Some(MembershipError::worse(failure, error));
                }
            }
        }
        Err(failure.unwrap_or(MembershipError::NoServer))
    }

    async fn knock_through(&self, server: &ServerName, entering: Entering<'_>) -> Result<()> {
        let Entering { room_id, user, content, .. } = entering;
        let wish = Wish { room_id, user, content, handshake: Handshake::Knock };
        let made = self.make(server, wish, None).await?;
        let knocked: Knocked = self.submit(server, Handshake::Knock, &made.pdu).await?.json()?;
        let state = stripped(&knocked.knock_room_state, &rules_of(&made.version)?);
        let invitation = Invitation { version: made.version, event: Arc::new(made.pdu), state };
        Ok(self.rooms.record_outside(room_id, &invitation).await?)
    }
}
