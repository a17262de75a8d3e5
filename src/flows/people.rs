//! The user directory: who may find whom.

use std::collections::{HashMap, HashSet};

use account::Person;
use room::{Membership, RoomNum};
use ruma::UserId;

use crate::{Flows, Result};

/// Who was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// At most as many as were asked for.
    pub people: Vec<Person>,
    /// There may be more.
    pub limited: bool,
}

impl Flows {
    /// Looks for users of this server whom `by` may know of, at most `limit`: those in a common room and those in a
    /// public one. Names that somebody has only in some room are neither searched nor told.
    ///
    /// Client-server API, "User Directory".
    ///
    /// # Errors
    /// When storage fails.
    pub async fn find_people(&self, by: &UserId, term: &str, limit: usize) -> Result<Found> {
        let view = self.rooms.db().view();
        let own: HashSet<_> = self.rooms.joined_rooms(&view, by).await?.into_iter().collect();
        let mut public = HashMap::new();
        let mut found = Found::default();
        let mut people = self.profiles.people(&view, term);
        while let Some(person) = people.next().await? {
            if person.user == by || !self.is_findable(&view, &person.user, &own, &mut public).await? {
                continue;
            }
            if found.people.len() == limit {
                found.limited = true;
                return Ok(found);
            }
            found.people.push(person);
        }
        found.limited = people.is_cut();
        Ok(found)
    }

    /// Whether `user` is in a room of `own` or in a public one; `public` remembers which rooms are.
    async fn is_findable(
        &self,
        view: &kv::View,
        user: &UserId,
        own: &HashSet<RoomNum>,
        public: &mut HashMap<RoomNum, bool>,
    ) -> Result<bool> {
        let rooms = self.rooms.user_rooms(view, user).await?;
        let joined = rooms.into_iter().filter(|(_, part)| part.value.membership == Membership::Join);
        let joined: Vec<_> = joined.map(|(room, _)| room).collect();
        if joined.iter().any(|room| own.contains(room)) {
            return Ok(true);
        }
        for room in joined {
            let known = public.get(&room).copied();
            let is_public = match known {
                Some(known) => known,
                None => self.rooms.is_public(view, room).await?,
            };
            public.insert(room, is_public);
            if is_public {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
