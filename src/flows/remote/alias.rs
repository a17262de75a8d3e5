//! Where aliases lead.

use federation::Call;
use room::RoomError;
use ruma::{
    OwnedRoomId, OwnedServerName, RoomAliasId, ServerName, api::federation::query::get_room_information::v1::Request,
};
use serde::Deserialize;
use serde_json::Value;

use super::{is_unknown, waited_for};
use crate::{FlowError, Flows, Result};

/// Most servers that are named for a room.
const MAX_SERVERS: usize = 200;
/// Largest answer, in bytes.
const MAX_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
struct Answer {
    room_id: OwnedRoomId,
    #[serde(default)]
    servers: Vec<Value>,
}

impl Answer {
    /// The servers, with the one that was asked: it knows of the room.
    fn servers(&self, asked: &ServerName) -> Vec<OwnedServerName> {
        let named = self.servers.iter().filter_map(Value::as_str);
        let mut servers: Vec<_> =
            named.filter_map(|name| OwnedServerName::try_from(name).ok()).take(MAX_SERVERS).collect();
        if !servers.iter().any(|server| server == asked) {
            servers.push(asked.to_owned());
        }
        servers
    }
}

impl Flows {
    /// The room that an alias leads to, and servers that are in it; other servers are asked for theirs.
    ///
    /// # Errors
    /// [`RoomError::UnknownAlias`], [`FlowError::Remote`].
    pub async fn resolve_alias(&self, alias: &RoomAliasId) -> Result<(OwnedRoomId, Vec<OwnedServerName>)> {
        let server = alias.server_name();
        if server == self.rooms.server() {
            return self.local_alias(alias).await;
        }
        let call = waited_for(Call::of(Request::new(alias.to_owned()))?).max_bytes(MAX_BYTES);
        let answer = match self.federation.call(server, call).await {
            Err(error) if is_unknown(&error) => return Err(RoomError::UnknownAlias.into()),
            other => other?.json::<Answer>()?,
        };
        let servers = answer.servers(server);
        Ok((answer.room_id, servers))
    }

    /// The room that an alias of this server leads to, and servers that are in it, this one first.
    ///
    /// # Errors
    /// [`RoomError::UnknownAlias`].
    pub async fn local_alias(&self, alias: &RoomAliasId) -> Result<(OwnedRoomId, Vec<OwnedServerName>)> {
        let mut view = self.rooms.db().view();
        let mut found = self.rooms.alias(&view, alias).await?;
        if found.is_none() && self.appservices.brings_alias(alias).await {
            view = self.rooms.db().view();
            found = self.rooms.alias(&view, alias).await?;
        }
        let room = found.ok_or(RoomError::UnknownAlias)?.room;
        let own = self.rooms.server();
        let mut servers = vec![own.to_owned()];
        if let Ok(num) = self.rooms.num(&view, &room).await {
            let others = self.rooms.servers_in(&view, num).await.map_err(FlowError::from)?;
            servers.extend(others.into_iter().filter(|server| server != own).take(MAX_SERVERS - 1));
        }
        Ok((room, servers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_for_what_makes_sense_in_it() {
        let text = r#"{"room_id":"!r:b.test","servers":["b.test",1,"no name",null,"c.test:8448"]}"#;
        let answer: Answer = serde_json::from_str(text).unwrap();
        let named = |asked: &str| {
            let servers = answer.servers(<&ServerName>::try_from(asked).unwrap());
            servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(named("b.test"), "b.test c.test:8448");
        assert_eq!(named("a.test"), "b.test c.test:8448 a.test");
        assert!(serde_json::from_str::<Answer>(r#"{"room_id":"#).is_err());
        assert!(serde_json::from_str::<Answer>(r#"{"room_id":"r"}"#).is_err());
    }
}
