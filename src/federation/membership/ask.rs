//! The requests to a server that is in the room.

use std::time::Duration;

use event::Pdu;
use room::handshake::{Answer, Handshake};
use ruma::{
    RoomId, RoomVersionId, ServerName, UserId,
    api::federation::membership::{prepare_join_event, prepare_knock_event, prepare_leave_event},
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::{MembershipError, Memberships, Result};
use crate::{Call, CallError, client::Answer as Reply};

/// How long a server may take for a template.
const TEMPLATE_TIME: Duration = Duration::from_secs(20);
/// Bytes of the largest template.
const TEMPLATE_BYTES: usize = 1 << 20;
/// How long a server may take to let somebody into a large room.
const ENTRY_TIME: Duration = Duration::from_secs(300);
/// Bytes of the largest state that is taken.
const ENTRY_BYTES: usize = 512 << 20;

/// A template as another server gives it.
#[derive(Debug, Deserialize)]
pub(super) struct Proposal {
    #[serde(default)]
    pub room_version: Option<RoomVersionId>,
    pub event: Box<RawValue>,
}

/// What a local user wants of a room elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub room_id: &'a RoomId,
    pub user: &'a UserId,
    pub handshake: Handshake,
    pub content: &'a Map<String, Value>,
}

/// An event of ours that is not in the room yet.
#[derive(Debug)]
pub(super) struct Made {
    pub version: RoomVersionId,
    pub pdu: Pdu,
}

impl Memberships {
    /// Asks for a template and makes our event of it. `known`: the version, where the other server may leave it out.
    pub(super) async fn make(
        &self,
        server: &ServerName,
        wish: Wish<'_>,
        known: Option<&RoomVersionId>,
    ) -> Result<Made> {
        let call = template_call(wish)?.timeout(TEMPLATE_TIME).max_bytes(TEMPLATE_BYTES).urgent();
        let reply = self.client.call(server, call).await.map_err(incompatible)?;
        let proposal: Proposal = reply.json()?;
        let version = proposal.room_version.or_else(|| known.cloned()).unwrap_or(RoomVersionId::V1);
        if event::rules(&version).is_none() {
            return Err(MembershipError::IncompatibleVersion(version));
        }
        let answer = Answer {
            room_id: wish.room_id,
            version: &version,
            user: wish.user,
            handshake: wish.handshake,
            content: wish.content,
        };
        let pdu = self.rooms.from_template(&answer, proposal.event.get().as_bytes())?;
        Ok(Made { version, pdu })
    }

    /// Sends our event to the server that is to take it into the room, with the older request if need be.
    pub(super) async fn submit(&self, server: &ServerName, handshake: Handshake, pdu: &Pdu) -> Result<Reply> {
        let (name, newest) = match handshake {
            Handshake::Join => ("send_join", "v2"),
            Handshake::Leave => ("send_leave", "v2"),
            Handshake::Knock => ("send_knock", "v1"),
        };
        let call = |version: &str| {
            let path =
                format!("/_matrix/federation/{version}/{name}/{}/{}", escaped(&pdu.room_id), escaped(&pdu.event_id));
            Call::put(path, pdu.json().clone()).timeout(ENTRY_TIME).max_bytes(ENTRY_BYTES).urgent()
        };
        match self.client.call(server, call(newest)).await {
            Err(error) if newest == "v2" && is_unknown_endpoint(&error) => {
                let mut reply = self.client.call(server, call("v1")).await?;
                // The first version of these answers `[200, {…}]`.
                let (_, body): (u16, Box<RawValue>) = reply.json()?;
                reply.body = String::from(Box::<str>::from(body)).into();
                Ok(reply)
            }
            other => Ok(other?),
        }
    }
}

fn template_call(wish: Wish<'_>) -> Result<Call, CallError> {
    let (room, user) = (wish.room_id.to_owned(), wish.user.to_owned());
    match wish.handshake {
        Handshake::Join => {
            let mut request = prepare_join_event::v1::Request::new(room, user);
            request.ver = event::version::SUPPORTED.to_vec();
            Call::of(request)
        }
        Handshake::Knock => {
            let mut request = prepare_knock_event::v1::Request::new(room, user);
            request.ver = event::version::SUPPORTED.to_vec();
            Call::of(request)
        }
        Handshake::Leave => Call::of(prepare_leave_event::v1::Request::new(room, user)),
    }
}

/// Text as one part of a path.
pub(super) fn escaped(text: impl AsRef<str>) -> String {
    let mut out = String::new();
    for byte in text.as_ref().bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Whether a server does not have an endpoint, as opposed to not having what was asked for.
pub(super) fn is_unknown_endpoint(error: &CallError) -> bool {
    let status = error.status().map(|status| status.as_u16());
    let nothing_said = error.errcode().is_none_or(|code| code == "M_UNRECOGNIZED");
    matches!(status, Some(400 | 404 | 405)) && nothing_said
}

#[derive(Deserialize)]
struct Incompatible {
    room_version: RoomVersionId,
}

fn incompatible(error: CallError) -> MembershipError {
    if let CallError::Status { body, errcode: Some(code), .. } = &error
        && code == "M_INCOMPATIBLE_ROOM_VERSION"
        && let Ok(Incompatible { room_version }) = serde_json::from_slice(body)
    {
        return MembershipError::IncompatibleVersion(room_version);
    }
    error.into()
}
