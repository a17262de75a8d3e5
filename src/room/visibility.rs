//! Who may see which event: the one filter of all read paths. Client-server API, "Room History Visibility".

use std::collections::{HashMap, HashSet};

use event::Pdu;
use kv::Read;
use ruma::{DeviceId, OwnedUserId, UserId};
use serde::Deserialize;

use crate::{
    EventRow, Membership, Result, Rooms, erased,
    ingest::DUMMY,
    num::{EventNum, Place, RoomNum},
    state::{Root, StateKey},
    tables::{EVENTS, HELD},
};

/// Most member events of one user that are looked at to find their last time in the room.
const MAX_STEPS: usize = 256;

/// Who looks at events.
#[derive(Debug, Clone, Copy)]
pub struct Viewer<'a> {
    /// The user.
    pub user: &'a UserId,
    /// Their device, which gets its own transaction ids back.
    pub device: Option<&'a DeviceId>,
    /// When they look, in milliseconds since the Unix epoch.
    pub now: u64,
    /// Whom they ignore.
    pub ignored: &'a HashSet<OwnedUserId>,
}

impl Viewer<'_> {
    /// Whether the viewer does not want to see a message of this sender.
    pub fn ignores(&self, sender: &str) -> bool {
        !self.ignored.is_empty()
            && sender != self.user
            && <&UserId>::try_from(sender).is_ok_and(|s| self.ignored.contains(s))
    }
}

/// `history_visibility` of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryVisibility {
    /// Everybody sees what is sent.
    WorldReadable,
    /// Members see everything from before they joined.
    Shared,
    /// Members see everything since they were invited.
    Invited,
    /// Members see everything since they joined.
    Joined,
}

#[derive(Deserialize)]
struct VisibilityContent<'a> {
    #[serde(borrow)]
    history_visibility: std::borrow::Cow<'a, str>,
}

#[derive(Deserialize)]
struct MemberContent<'a> {
    #[serde(borrow)]
    membership: std::borrow::Cow<'a, str>,
}

impl HistoryVisibility {
    /// Reads the content of a visibility event; what is missing or unknown counts as shared.
    pub fn of_content(content: &str) -> Self {
        match serde_json::from_str::<VisibilityContent<'_>>(content).as_ref().map(|c| &*c.history_visibility) {
            Ok("world_readable") => Self::WorldReadable,
            Ok("invited") => Self::Invited,
            Ok("joined") => Self::Joined,
            _ => Self::Shared,
        }
    }

    fn shows(self, membership: Membership, joined_later: bool) -> bool {
        match self {
            Self::WorldReadable => true,
            _ if membership == Membership::Join => true,
            Self::Shared => joined_later,
            Self::Invited => membership == Membership::Invite,
            Self::Joined => false,
        }
    }
}

/// The membership that the content of a member event names.
pub fn membership_in(content: &str) -> Option<Membership> {
    let content: MemberContent<'_> = serde_json::from_str(content).ok()?;
    Membership::parse(&content.membership)
}

/// A user's last time in a room.
#[derive(Debug)]
pub enum Stay {
    /// They never were there, as far as this server knows.
    Never,
    /// They are there.
    Lasts,
    /// They left, or were made to.
    Ended {
        /// By this event.
        num: EventNum,
        /// At this place of the timeline.
        place: Place,
        /// The event.
        row: Box<EventRow>,
    },
}

impl Stay {
    /// The place up to which they were joined; `None` if they never were, `MAX` if they are now.
    fn until(&self) -> Option<Place> {
        match self {
            Self::Never => None,
            Self::Lasts => Some(Place::MAX),
            Self::Ended { place, .. } => Some(*place),
        }
    }
}

/// What one state key says in the states before a run of events, looked up once per state.
#[derive(Debug)]
pub(crate) struct Tracked<T> {
    key: Option<StateKey>,
    missing: T,
    read: fn(&Pdu) -> T,
    last: Option<(Root, T)>,
    roots: HashMap<Root, T>,
}

impl<T: Copy> Tracked<T> {
    /// The value at `root`.
    pub(crate) async fn at(&mut self, rooms: &Rooms, read: &impl Read, room: RoomNum, root: Root) -> Result<T> {
        let Some(key) = self.key else { return Ok(self.missing) };
        match self.last {
            Some((last, value)) if last == root => return Ok(value),
            _ => {}
        }
        let value = match self.roots.get(&root) {
            Some(value) => *value,
            None => {
                let value = match rooms.trees(room).get(read, root, key).await? {
                    Some(num) => (self.read)(&*rooms.pdu(read, room, EventNum(num)).await?),
                    None => self.missing,
                };
                self.roots.insert(root, value);
                value
            }
        };
        self.last = Some((root, value));
        Ok(value)
    }
}

impl Rooms {
    /// Follows the membership of `user` through states.
    pub(crate) async fn track_member(
        &self,
        read: &impl Read,
        room: RoomNum,
        user: &UserId,
    ) -> Result<Tracked<Membership>> {
        let key = self.state_key(read, room, "m.room.member", user.as_str()).await?;
        let member = |pdu: &Pdu| membership_in(pdu.content.get()).unwrap_or(Membership::Leave);
        Ok(Tracked { key, missing: Membership::Leave, read: member, last: None, roots: HashMap::new() })
    }

    pub(crate) async fn track_visibility(&self, read: &impl Read, room: RoomNum) -> Result<Tracked<HistoryVisibility>> {
        let key = self.state_key(read, room, "m.room.history_visibility", "").await?;
        let visibility = |pdu: &Pdu| HistoryVisibility::of_content(pdu.content.get());
        Ok(Tracked { key, missing: HistoryVisibility::Shared, read: visibility, last: None, roots: HashMap::new() })
    }

    /// The history visibility in the state `root`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn history_visibility(&self, read: &impl Read, room: RoomNum, root: Root) -> Result<HistoryVisibility> {
        self.track_visibility(read, room).await?.at(self, read, room, root).await
    }

    /// The rows that the viewer may see by the history visibility at each event, in their order. Messages of
    /// ignored users, redactions that did not take effect, and what has no place in the timeline are left out. Of
    /// senders who were erased, those see the content who were in the room then.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn visible(
        &self,
        read: &impl Read,
        room: RoomNum,
        viewer: &Viewer<'_>,
        rows: Vec<(EventNum, EventRow)>,
    ) -> Result<Vec<(EventNum, EventRow)>> {
        if rows.is_empty() {
            return Ok(rows);
        }
        let mut sight = Sight {
            user: viewer.user,
            until: self.last_stay(read, room, viewer.user).await?.until(),
            visibility: self.track_visibility(read, room).await?,
            member: self.track_member(read, room, viewer.user).await?,
        };
        let held = self.held(read, room, &rows).await?;
        let erased = self.erased().await?;
        let mut seen = Vec::with_capacity(rows.len());
        for (num, row) in rows {
            let ignored = row.event.state_key().is_none() && viewer.ignores(row.event.sender());
            let ignored = ignored || row.event.kind() == DUMMY;
            if !row.meta.is_shown() || ignored || held.contains(&num) || !sight.sees(self, read, room, &row).await? {
                continue;
            }
            let whole = !erased::is_in(&erased, row.event.sender())
                || sight.member.at(self, read, room, row.meta.before).await? == Membership::Join;
            seen.push((num, if whole { row } else { self.emptied(read, room, row).await? }));
        }
        Ok(seen)
    }

    /// A user's last time in a room.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn last_stay(&self, read: &impl Read, room: RoomNum, user: &UserId) -> Result<Stay> {
        let Some(part) = self.user_room(read, user, room).await? else { return Ok(Stay::Never) };
        if part.value.membership == Membership::Join {
            return Ok(Stay::Lasts);
        }
        let mut num = part.value.event;
        let mut at = read.peek(&EVENTS, (room, num)).await?;
        for _ in 0..MAX_STEPS {
            let Some(row) = at else { return Ok(Stay::Never) };
            let Some(before) = row.meta.replaces else { return Ok(Stay::Never) };
            at = read.peek(&EVENTS, (room, before)).await?;
            if at.as_ref().and_then(|row| membership_in(row.event.content())) == Some(Membership::Join) {
                return Ok(row.meta.place.map_or(Stay::Never, |place| Stay::Ended { num, place, row: Box::new(row) }));
            }
            num = before;
        }
        Ok(Stay::Never)
    }

    /// The redactions among `rows` that did not take effect.
    async fn held(&self, read: &impl Read, room: RoomNum, rows: &[(EventNum, EventRow)]) -> Result<HashSet<EventNum>> {
        let redactions: Vec<_> =
            rows.iter().filter(|(_, row)| row.event.kind() == "m.room.redaction").map(|(num, _)| *num).collect();
        if redactions.is_empty() {
            return Ok(HashSet::new());
        }
        let keys: Vec<_> = redactions.iter().map(|num| (room, *num)).collect();
        let held = read.get_many(&HELD, keys).await?;
        Ok(redactions.into_iter().zip(held).filter_map(|(num, held)| held.map(|()| num)).collect())
    }
}

/// What decides whether a user sees an event.
struct Sight<'a> {
    user: &'a UserId,
    until: Option<Place>,
    visibility: Tracked<HistoryVisibility>,
    member: Tracked<Membership>,
}

impl Sight<'_> {
    async fn sees(&mut self, rooms: &Rooms, read: &impl Read, room: RoomNum, row: &EventRow) -> Result<bool> {
        let root = row.meta.before;
        let joined_later = row.meta.place.zip(self.until).is_some_and(|(place, until)| place < until);
        let visibility = self.visibility.at(rooms, read, room, root).await?;
        let member = self.member.at(rooms, read, room, root).await?;
        if visibility.shows(member, joined_later) {
            return Ok(true);
        }
        // The events that change either may be seen by what was before them or by what they bring.
        Ok(match (row.event.kind(), row.event.state_key()) {
            ("m.room.history_visibility", Some("")) => {
                HistoryVisibility::of_content(row.event.content()).shows(member, joined_later)
            }
            ("m.room.member", Some(user)) if user == self.user => match membership_in(row.event.content()) {
                // How a membership or an invitation ended is always told to whom it concerns.
                Some(Membership::Leave | Membership::Ban) => !matches!(member, Membership::Leave | Membership::Ban),
                Some(after) => visibility.shows(after, joined_later),
                None => false,
            },
            _ => false,
        })
    }
}
