//! Ephemeral data units. Server-server API, "EDUs".

use std::collections::BTreeMap;

use ephemeral::{PresenceState, ReceiptKind, Thread};
use kv::Read;
use room::{Membership, tables::USER_ROOMS};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, ServerName};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{Inbound, InboundError};

/// How long somebody of another server counts as typing unless told otherwise, in milliseconds.
const TYPING_MS: u64 = 30_000;
/// Most rooms and receipts, and presences, of one EDU.
const MAX_ENTRIES: usize = 1000;

/// An EDU as it comes.
#[derive(Debug, Deserialize)]
pub(super) struct Edu {
    edu_type: String,
    content: Box<RawValue>,
}

#[derive(Deserialize)]
struct Typing {
    room_id: OwnedRoomId,
    user_id: OwnedUserId,
    typing: bool,
}

#[derive(Deserialize)]
struct Receipt {
    event_ids: Vec<OwnedEventId>,
    #[serde(default)]
    data: ReceiptData,
}

#[derive(Default, Deserialize)]
struct ReceiptData {
    #[serde(default)]
    thread_id: Option<String>,
}

type ReceiptsOfRoom = BTreeMap<String, BTreeMap<OwnedUserId, Value>>;

#[derive(Deserialize)]
struct Presences {
    push: Vec<Presence>,
}

#[derive(Deserialize)]
struct Presence {
    user_id: OwnedUserId,
    presence: String,
    #[serde(default)]
    status_msg: Option<String>,
    last_active_ago: Option<u64>,
}

impl Inbound {
    /// Takes in one EDU. What is malformed or not the origin's to say is passed over.
    pub(super) async fn edu(&self, origin: &ServerName, edu: Edu) -> Result<(), InboundError> {
        let content = edu.content.get();
        match edu.edu_type.as_str() {
            "m.typing" => match serde_json::from_str(content) {
                Ok(typing) => self.typing(origin, typing).await,
                Err(_) => Ok(()),
            },
            "m.receipt" => match serde_json::from_str(content) {
                Ok(receipts) => self.receipts(origin, receipts).await,
                Err(_) => Ok(()),
            },
            "m.presence" => match serde_json::from_str(content) {
                Ok(presences) => self.presences(origin, presences).await,
                Err(_) => Ok(()),
            },
            other => Ok(self.edus.devices.handle_edu(origin, other, content).await?),
        }
    }

    async fn typing(&self, origin: &ServerName, typing: Typing) -> Result<(), InboundError> {
        let view = self.db.view();
        let Ok(room) = self.rooms.num(&view, &typing.room_id).await else { return Ok(()) };
        if typing.user_id.server_name() != origin || !self.rooms.acl_allows(&view, room, origin).await? {
            return Ok(());
        }
        if self.rooms.membership(&view, &typing.user_id, room).await? == Membership::Join {
            let timeout = typing.typing.then_some(TYPING_MS);
            if let Err(error) = self.edus.typing.set(room, &typing.user_id, timeout).await {
                tracing::warn!(%error, "typing of another server could not be noted");
            }
        }
        Ok(())
    }

    async fn receipts(
        &self,
        origin: &ServerName,
        rooms: BTreeMap<OwnedRoomId, ReceiptsOfRoom>,
    ) -> Result<(), InboundError> {
        let view = self.db.view();
        let mut left = MAX_ENTRIES;
        for (room, mut kinds) in rooms.into_iter().take(MAX_ENTRIES) {
            let Ok(num) = self.rooms.num(&view, &room).await else { continue };
            if !self.rooms.acl_allows(&view, num, origin).await? {
                continue;
            }
            for (user, value) in kinds.remove("m.read").unwrap_or_default() {
                let Ok(receipt) = serde_json::from_value::<Receipt>(value) else { continue };
                let Some(event) = receipt.event_ids.last().filter(|_| user.server_name() == origin && left > 0) else {
                    continue;
                };
                left -= 1;
                let thread = match receipt.data.thread_id.as_deref() {
                    None => Thread::Unthreaded,
                    Some("main") => Thread::Main,
                    Some(root) => match OwnedEventId::try_from(root) {
                        Ok(root) => Thread::Root(root),
                        Err(_) => continue,
                    },
                };
                // A receipt for an event that is not here is of no use to anybody here.
                if let Err(error) = self.edus.receipts.set(&user, &room, ReceiptKind::Public, &thread, event).await {
                    tracing::debug!(%error, %room, "a receipt of another server was passed over");
                }
            }
        }
        Ok(())
    }

    async fn presences(&self, origin: &ServerName, presences: Presences) -> Result<(), InboundError> {
        let view = self.db.view();
        for presence in presences.push.into_iter().take(MAX_ENTRIES) {
            if presence.user_id.server_name() != origin {
                continue;
            }
            let mut rooms = view.scan(&USER_ROOMS, USER_ROOMS.under(&(&presence.user_id,))).by(1);
            if rooms.next().await?.is_none() {
                continue;
            }
            let state = match presence.presence.as_str() {
                "online" => PresenceState::Online,
                "unavailable" => PresenceState::Unavailable,
                _ => PresenceState::Offline,
            };
            let Presence { user_id, status_msg, last_active_ago, .. } = presence;
            if let Err(error) = self.edus.presence.set_remote(&user_id, state, status_msg, last_active_ago).await {
                tracing::warn!(%error, "presence of another server could not be noted");
            }
        }
        Ok(())
    }
}
