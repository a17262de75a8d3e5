//! Room aliases of this server.

use event::Draft;
use kv::{Read, Tx};
use ruma::{OwnedRoomAliasId, RoomAliasId, RoomId, UserId, events::TimelineEventType};
use serde_json::{Map, Value, value::RawValue};

use super::{ALIASES, Alias, ROOM_ALIASES};
use crate::{Membership, Outgoing, Result, RoomError, Rooms, compose::Moment, create::raw, num::RoomNum};

/// Longest alias in bytes.
const MAX_ALIAS: usize = 255;

/// Makes `alias` lead to `room`.
///
/// # Errors
/// [`RoomError::AliasInUse`].
pub(crate) async fn claim(tx: &mut Tx, alias: &RoomAliasId, room: &RoomId, creator: &UserId) -> Result<()> {
    if tx.has(&ALIASES, alias).await? {
        return Err(RoomError::AliasInUse(alias.to_string()));
    }
    tx.put(&ALIASES, alias, &Alias { room: room.to_owned(), creator: creator.to_owned() });
    tx.put(&ROOM_ALIASES, (room, alias), &());
    Ok(())
}

/// The aliases that the content of an `m.room.canonical_alias` event names; `None` if it is malformed.
fn named(content: &str) -> Option<Vec<OwnedRoomAliasId>> {
    let content: Map<String, Value> = serde_json::from_str(content).ok()?;
    let mut all = Vec::new();
    match content.get("alias") {
        None | Some(Value::Null) => {}
        // Some clients remove an alias by setting an empty one.
        Some(Value::String(alias)) if alias.is_empty() => {}
        Some(Value::String(alias)) => all.push(RoomAliasId::parse(alias).ok()?),
        Some(_) => return None,
    }
    match content.get("alt_aliases") {
        None | Some(Value::Null) => {}
        Some(Value::Array(aliases)) => {
            for alias in aliases {
                all.push(RoomAliasId::parse(alias.as_str()?).ok()?);
            }
        }
        Some(_) => return None,
    }
    Some(all)
}

/// The content of an `m.room.canonical_alias` event without `alias`; `None` if it does not name it.
fn without(content: &str, alias: &RoomAliasId) -> Option<Map<String, Value>> {
    let mut content: Map<String, Value> = serde_json::from_str(content).ok()?;
    let is_it = |value: &Value| value.as_str() == Some(alias.as_str());
    let mut changed = false;
    if content.get("alias").is_some_and(is_it) {
        content.remove("alias");
        changed = true;
    }
    if let Some(Value::Array(aliases)) = content.get_mut("alt_aliases") {
        let before = aliases.len();
        aliases.retain(|value| !is_it(value));
        changed |= aliases.len() != before;
        if aliases.is_empty() {
            content.remove("alt_aliases");
        }
    }
    changed.then_some(content)
}

impl Rooms {
    /// The alias of this server with this name, if there can be one.
    ///
    /// # Errors
    /// [`RoomError::InvalidParam`].
    pub fn local_alias(&self, localpart: &str) -> Result<OwnedRoomAliasId> {
        let bad = |c: char| c == ':' || c == '\0' || c.is_whitespace();
        if localpart.is_empty() || localpart.contains(bad) {
            return Err(RoomError::InvalidParam("an alias name has characters, but no space and no colon".into()));
        }
        let alias = RoomAliasId::parse(format!("#{localpart}:{}", self.server()))
            .map_err(|error| RoomError::InvalidParam(format!("this is no alias: {error}")))?;
        self.check_alias(&alias)?;
        Ok(alias)
    }

    /// Refuses aliases that this server cannot give out.
    fn check_alias(&self, alias: &RoomAliasId) -> Result<()> {
        if alias.server_name() != self.server() {
            return Err(RoomError::InvalidParam(format!("aliases here end in :{}", self.server())));
        }
        if alias.as_bytes().len() > MAX_ALIAS {
            return Err(RoomError::InvalidParam(format!("an alias has at most {MAX_ALIAS} bytes")));
        }
        Ok(())
    }

    /// Where a local alias leads.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn alias(&self, read: &impl Read, alias: &RoomAliasId) -> Result<Option<Alias>> {
        Ok(read.get(&ALIASES, alias).await?)
    }

    /// The local aliases of a room.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn aliases(&self, read: &impl Read, room_id: &RoomId) -> Result<Vec<OwnedRoomAliasId>> {
        let rows = read.scan(&ROOM_ALIASES, ROOM_ALIASES.under(&(room_id,))).collect().await?;
        Ok(rows.into_iter().map(|((_, alias), ())| alias).collect())
    }

    /// Makes `alias` lead to a room that `creator` is in.
    ///
    /// # Errors
    /// [`RoomError::InvalidParam`], [`RoomError::UnknownRoom`], [`RoomError::NotJoined`],
    /// [`RoomError::AliasInUse`].
    pub async fn create_alias(&self, alias: &RoomAliasId, room_id: &RoomId, creator: &UserId) -> Result<()> {
        self.check_alias(alias)?;
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let room = self.num(&tx, room_id).await?;
            if self.membership(&tx, creator, room).await? != Membership::Join {
                return Err(RoomError::NotJoined);
            }
            claim(&mut tx, alias, room_id, creator).await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Removes an alias, and names it no longer in the room if `user` may change that.
    ///
    /// Its creator may, members who may set the canonical alias, and administrators of the server (`by_force`).
    ///
    /// # Errors
    /// [`RoomError::UnknownAlias`], [`RoomError::Denied`].
    pub async fn delete_alias(&self, alias: &RoomAliasId, user: &UserId, by_force: bool) -> Result<()> {
        let moment = self.moment();
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let Alias { room: room_id, creator } = tx.get(&ALIASES, alias).await?.ok_or(RoomError::UnknownAlias)?;
            let room = self.num(&tx, &room_id).await.ok();
            let may = by_force || creator == user || self.may_name(&tx, room, user).await?;
            if !may {
                return Err(RoomError::Denied("only its creator and moderators may remove an alias".into()));
            }
            tx.delete(&ALIASES, alias);
            tx.delete(&ROOM_ALIASES, (&room_id, alias));
            if let Some(room) = room {
                self.unname(&mut tx, room, alias, user, moment).await?;
            }
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Whether `user` is in the room and may set its canonical alias.
    pub(crate) async fn may_name(&self, tx: &Tx, room: Option<RoomNum>, user: &UserId) -> Result<bool> {
        let Some(room) = room else { return Ok(false) };
        let tip = self.tip(tx, room).await?;
        let levels = self.power_levels(tx, room, tip.state).await?;
        Ok(self.member_in(tx, room, &tip, user.as_str()).await? == Membership::Join
            && levels.may_send(user, &TimelineEventType::RoomCanonicalAlias, true))
    }

    /// Takes `alias` out of the room's canonical aliases, if `user` may.
    async fn unname(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        alias: &RoomAliasId,
        user: &UserId,
        moment: Moment,
    ) -> Result<()> {
        let mut tip = self.tip(tx, room).await?;
        let current = self.state_event(tx, room, tip.state, "m.room.canonical_alias", "").await?;
        let Some(content) = current.and_then(|pdu| without(pdu.content.get(), alias)) else { return Ok(()) };
        let draft = Draft::state(TimelineEventType::RoomCanonicalAlias, "", raw(&content)?);
        match self.compose(tx, room, &mut tip, &Outgoing::new(user, draft), moment).await {
            // Removing the alias is what was asked for; nothing is written of an event that is denied.
            Ok(_) | Err(RoomError::Denied(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Checks the content of an `m.room.canonical_alias` event that somebody wants to send: aliases that it names
    /// for the first time must lead to the room. Returns those of other servers, who have to be asked.
    ///
    /// # Errors
    /// [`RoomError::InvalidParam`] for what is no alias, [`RoomError::BadAlias`] for one that leads elsewhere.
    pub async fn check_canonical_alias(
        &self,
        read: &impl Read,
        room_id: &RoomId,
        content: &RawValue,
    ) -> Result<Vec<OwnedRoomAliasId>> {
        let Some(new) = named(content.get()) else {
            return Err(RoomError::InvalidParam("alias and alt_aliases must be room aliases".into()));
        };
        let room = self.num(read, room_id).await?;
        let tip = self.tip(read, room).await?;
        let current = self.state_event(read, room, tip.state, "m.room.canonical_alias", "").await?;
        let old = current.and_then(|pdu| named(pdu.content.get())).unwrap_or_default();
        let mut remote = Vec::new();
        for alias in new.into_iter().filter(|alias| !old.contains(alias)) {
            if alias.server_name() != self.server() {
                remote.push(alias);
            } else if self.alias(read, &alias).await?.is_none_or(|found| found.room != room_id) {
                return Err(RoomError::BadAlias(format!("{alias} does not lead to this room")));
            }
        }
        Ok(remote)
    }
}
