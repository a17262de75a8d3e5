//! Global and room account data.

use std::collections::HashMap;

use kv::View;
use room::{RoomNum, filter::EventFilter};
use ruma::{OwnedRoomId, RoomId, UserId};

use crate::{Request, Result, Sync, json::Object, span::Span};

/// Everybody has push rules; they are stored once they differ from the defaults.
const PUSH_RULES: &str = "m.push_rules";

/// Account data of one room.
#[derive(Debug, Default)]
pub struct RoomData {
    /// `{"type": …, "content": …}`
    pub events: Vec<Vec<u8>>,
}

/// What changed of a user's account data.
#[derive(Debug, Default)]
pub struct Data {
    /// Of no room.
    pub global: Vec<Vec<u8>>,
    /// By room.
    pub rooms: HashMap<RoomNum, RoomData>,
}

/// The account data that changed in `span`; everything without a token.
pub async fn read(sync: &Sync, view: &View, request: &Request, span: Span<'_>, changed: bool) -> Result<Data> {
    let (user, wants) = (&request.user, &request.wants);
    let mut data = Data::default();
    let rows = match span.since {
        None => sync.account_data.all(view, user).await?,
        Some(since) if changed => sync.account_data.changes(view, user, since, span.upto).await?,
        Some(_) => return Ok(data),
    };
    let has_rules = rows.iter().any(|row| row.room.is_none() && row.kind == PUSH_RULES);
    if span.since.is_none() && !has_rules && wants.global_data.admits_type(PUSH_RULES) {
        data.global.push(sync.push_rules.event(view, user).await?.into_bytes());
    }
    for row in rows {
        let event = event(&row.kind, &row.content);
        match row.room {
            None if wants.global_data.admits_type(&row.kind) => data.global.push(event),
            None => {}
            Some(room)
                if !wants.room(&room)
                    || !wants.room_data.admits_room(&room)
                    || !wants.room_data.admits_type(&row.kind) => {}
            Some(room) => {
                if let Some(num) = number(sync, view, &room).await? {
                    data.rooms.entry(num).or_default().events.push(event);
                }
            }
        }
    }
    Ok(data)
}

/// All account data of one room.
pub async fn of_room(
    sync: &Sync,
    view: &View,
    user: &UserId,
    room: &RoomId,
    wanted: &EventFilter,
) -> Result<Vec<Vec<u8>>> {
    if !wanted.admits_room(room) {
        return Ok(Vec::new());
    }
    let rows = sync.account_data.within(view, user, Some(room)).await?;
    Ok(rows.iter().filter(|row| wanted.admits_type(&row.kind)).map(|row| event(&row.kind, &row.content)).collect())
}

async fn number(sync: &Sync, view: &View, room: &OwnedRoomId) -> Result<Option<RoomNum>> {
    match sync.rooms.num(view, room).await {
        Ok(num) => Ok(Some(num)),
        Err(room::RoomError::UnknownRoom) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn event(kind: &str, content: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(kind.len() + content.len() + 24);
    let mut object = Object::open(&mut out);
    object.text("type", kind).raw("content", content.as_bytes());
    object.close();
    out
}
