//! Which rooms and events interest an application service.

use std::collections::HashMap;

use base::Millis;
use kv::{Read, View};
use room::{Membership, RoomError, RoomNum, Rooms, row::EventRow, tables::MEMBERS};
use ruma::UserId;

use crate::{Appservice, Result};

/// Rooms that are remembered.
const MAX_ROOMS: usize = 20_000;
/// For how long it is remembered whether members of a room are its users, in milliseconds: state resolution can change
/// that without an event that the walk would see.
const FRESH: Millis = 10 * 60 * 1000;

/// Remembers which rooms its users are in.
#[derive(Debug)]
pub(super) struct Interest {
    service: Appservice,
    rooms: HashMap<RoomNum, Known>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    has_members: bool,
    checked: Millis,
}

impl Interest {
    pub fn new(service: Appservice) -> Self {
        Self { service, rooms: HashMap::new() }
    }

    /// Whether an event interests it: by its sender, by whom it is about, or by its room.
    pub async fn in_event(&mut self, rooms: &Rooms, view: &View, room: RoomNum, row: &EventRow) -> Result<bool> {
        let its = |name: &str| <&UserId>::try_from(name).is_ok_and(|user| self.service.has_user(user));
        let member = row.event.state_key().filter(|_| row.event.kind() == "m.room.member");
        if let Some(member) = member.filter(|member| its(member)) {
            self.note(rooms, room, member, room::membership_in(row.event.content()));
            return Ok(true);
        }
        if its(row.event.sender()) {
            return Ok(true);
        }
        self.in_room(rooms, view, room).await
    }

    /// Whether a room interests it: by its id, by an alias, or because one of its users is in it.
    pub async fn in_room(&mut self, rooms: &Rooms, view: &View, room: RoomNum) -> Result<bool> {
        let info = match rooms.info(view, room).await {
            // The room is gone.
            Err(RoomError::UnknownRoom) => return Ok(false),
            other => other?,
        };
        if self.service.has_room(&info.id) {
            return Ok(true);
        }
        if self.service.has_aliases() {
            let aliases = rooms.aliases(view, &info.id).await?;
            if aliases.iter().any(|alias| self.service.has_alias(alias)) {
                return Ok(true);
            }
        }
        let now = rooms.clock().now();
        if let Some(known) = self.rooms.get(&room).filter(|known| now.saturating_sub(known.checked) < FRESH) {
            return Ok(known.has_members);
        }
        let has_members = self.has_members(rooms, view, room).await?;
        self.keep(room, Known { has_members, checked: now });
        Ok(has_members)
    }

    /// Whether a user of this server interests it, by themselves or by a room that they share with its users.
    pub async fn in_user(&mut self, rooms: &Rooms, view: &View, user: &UserId) -> Result<bool> {
        if self.service.has_user(user) {
            return Ok(true);
        }
        for room in rooms.joined_rooms(view, user).await? {
            if self.in_room(rooms, view, room).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// One of its users came or went.
    fn note(&mut self, rooms: &Rooms, room: RoomNum, user: &str, membership: Option<Membership>) {
        let is_local = <&UserId>::try_from(user).is_ok_and(|user| user.server_name() == rooms.server());
        match membership {
            Some(Membership::Join) if is_local => {
                self.keep(room, Known { has_members: true, checked: rooms.clock().now() });
            }
            _ => {
                self.rooms.remove(&room);
            }
        }
    }

    fn keep(&mut self, room: RoomNum, known: Known) {
        if self.rooms.len() >= MAX_ROOMS {
            self.rooms.clear();
        }
        self.rooms.insert(room, known);
    }

    async fn has_members(&self, rooms: &Rooms, view: &View, room: RoomNum) -> Result<bool> {
        let mut members = view.scan(&MEMBERS, MEMBERS.under(&(room, Membership::Join.code())));
        while let Some(((_, _, user), _)) = members.next().await? {
            if user.server_name() == rooms.server() && self.service.has_user(&user) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
