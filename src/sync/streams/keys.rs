//! Whose devices changed, and what is left of the device's one-time keys.

use std::collections::{BTreeSet, HashSet};

use kv::{Read, View};
use room::{EventNum, Membership, RoomNum, state::keys::of_type, tables::USER_CHANGES};
use ruma::{OwnedUserId, UserId};
use serde::Deserialize;

use crate::{Request, Response, Result, Sync, span::Span, streams::timeline::first_state};

const MEMBER: &str = "m.room.member";
/// Changes of one member that are looked through for whether they were away.
const MAX_CHANGES: usize = 32;

/// `device_lists` of a response.
#[derive(Debug, Default)]
pub struct Lists {
    /// Users whose devices changed, or with whom a room is shared now.
    pub changed: Vec<String>,
    /// Users with whom no room is shared any more.
    pub left: Vec<String>,
}

/// Those with whom a room began or ceased to be shared.
#[derive(Debug, Default)]
struct Moves {
    /// They share a room with the user now.
    met: HashSet<OwnedUserId>,
    parted: HashSet<OwnedUserId>,
}

/// Adds the counts of the device's keys.
pub async fn count(sync: &Sync, view: &View, request: &Request, response: &mut Response) -> Result<()> {
    let Some(device) = &request.device else { return Ok(()) };
    let counts = sync.keys.counts(view, &request.user, device).await?;
    response.key_counts = counts.one_time.into_iter().collect();
    response.unused_fallbacks = counts.unused_fallbacks;
    Ok(())
}

/// What `user`, who is in the rooms `joined`, has to know of others' devices after `span`; nothing without a token. Of the
/// rooms `unmoved` it is known that their state is what it was.
pub async fn lists(
    sync: &Sync,
    view: &View,
    user: &UserId,
    joined: &HashSet<RoomNum>,
    unmoved: &HashSet<RoomNum>,
    span: Span<'_>,
) -> Result<Lists> {
    let Some(since) = span.since else { return Ok(Lists::default()) };
    let mut changed = HashSet::new();
    for (from, to) in span.stamps() {
        if sync.index.devices(since, span.upto) != Some(false) {
            changed.extend(sync.keys.changed(view, from, to).await?);
        }
        if sync.user_changed(user, span) {
            changed.extend(sync.keys.changed_for(view, user, from, to).await?);
        }
    }
    let mut moves = Moves::default();
    let rooms = changed_rooms(sync, view, user, joined, span).await?;
    for room in rooms.into_iter().filter(|room| !unmoved.contains(room)) {
        moved(sync, view, user, room, span, &mut moves).await?;
    }
    // Who came into a room is among those who are met there, for the other devices of the same user.
    moves.parted.remove(user);
    if changed.is_empty() && moves.met.is_empty() && moves.parted.is_empty() {
        return Ok(Lists::default());
    }
    let own: HashSet<_> = joined_rooms(sync, view, user).await?.collect();
    let mut lists = Lists::default();
    let known: BTreeSet<_> = changed.iter().chain(&moves.met).chain(&moves.parted).collect();
    for other in known {
        // Those who were met are in a room with the user now; of a large room that was joined, that is enough to know.
        let shares = other == user
            || moves.met.contains(other)
            || joined_rooms(sync, view, other).await?.any(|room| own.contains(&room));
        if shares && (changed.contains(other) || moves.met.contains(other)) {
            lists.changed.push(other.to_string());
        } else if !shares && moves.parted.contains(other) {
            lists.left.push(other.to_string());
        }
    }
    Ok(lists)
}

async fn joined_rooms(sync: &Sync, view: &View, user: &UserId) -> Result<impl Iterator<Item = RoomNum>> {
    let rooms = sync.rooms.user_rooms(view, user).await?.into_iter();
    Ok(rooms.filter(|(_, row)| row.value.membership == Membership::Join).map(|(room, _)| room))
}

/// The rooms of `user` in which something happened, those that they left too.
async fn changed_rooms(
    sync: &Sync,
    view: &View,
    user: &UserId,
    joined: &HashSet<RoomNum>,
    span: Span<'_>,
) -> Result<HashSet<RoomNum>> {
    let changed = span.since.and_then(|since| sync.index.changed_among(joined, since, span.upto));
    let mut rooms = changed.unwrap_or_else(|| joined.clone());
    if sync.user_changed(user, span) {
        for (from, to) in span.stamps() {
            let range = USER_CHANGES.between(&(user, from), &(user, to));
            rooms.extend(view.scan(&USER_CHANGES, range).collect().await?.into_iter().map(|(_, room)| room));
        }
    }
    Ok(rooms)
}

/// Adds those whom `user` met in `room`, or who parted from them there: the difference of its states.
async fn moved(
    sync: &Sync,
    view: &View,
    user: &UserId,
    room: RoomNum,
    span: Span<'_>,
    moves: &mut Moves,
) -> Result<()> {
    let rooms = &sync.rooms;
    let Some(before) = first_state(rooms, view, room, span).await? else { return Ok(()) };
    let now = rooms.tip(view, room).await?.state;
    if now == before {
        return Ok(());
    }
    let own = rooms.state_num(view, room, before, MEMBER, user.as_str()).await?;
    let was_in = is_join(sync, view, room, own).await?;
    let is_in = rooms.membership(view, user, room).await? == Membership::Join;
    if !was_in && !is_in {
        return Ok(());
    }
    let own_now = rooms.state_num(view, room, now, MEMBER, user.as_str()).await?;
    let mut parted = HashSet::new();
    if was_in != is_in || (is_in && was_away(sync, view, room, own, own_now).await?) {
        let members = rooms.members(view, room, Membership::Join).await?.into_iter().map(|member| member.user);
        if is_in { moves.met.extend(members) } else { parted.extend(members) }
    }
    if !was_in {
        return Ok(());
    }
    let Some(members) = of_type(view, room, MEMBER).await? else { return Ok(()) };
    for difference in rooms.trees(room).differences(view, before, now).await? {
        if !members.contains(&difference.key) {
            continue;
        }
        let (old, new) = (difference.old.map(EventNum), difference.new.map(EventNum));
        let (was, is) = (is_join(sync, view, room, old).await?, is_join(sync, view, room, new).await?);
        // Of who left and came back nothing was told meanwhile.
        let moved = was != is || (is && was_away(sync, view, room, old, new).await?);
        let Some(num) = new.or(old).filter(|_| moved) else { continue };
        let row = rooms.row(view, room, num).await?;
        if let Some(Ok(member)) = row.event.state_key().map(OwnedUserId::try_from) {
            if !is {
                parted.insert(member);
            } else if is_in {
                moves.met.insert(member);
            } else if !was {
                // They came since: the user was told nothing of them, and left.
                parted.remove(&member);
            }
        }
    }
    moves.parted.extend(parted);
    Ok(())
}

/// Whether somebody whose join `old` was is not known to have been in the room until `new`, a join too.
async fn was_away(
    sync: &Sync,
    view: &View,
    room: RoomNum,
    old: Option<EventNum>,
    new: Option<EventNum>,
) -> Result<bool> {
    let mut at = new;
    for _ in 0..MAX_CHANGES {
        if at == old {
            return Ok(false);
        }
        if !is_join(sync, view, room, at).await? {
            return Ok(true);
        }
        let Some(num) = at else { return Ok(true) };
        at = sync.rooms.row(view, room, num).await?.meta.replaces;
    }
    Ok(true)
}

async fn is_join(sync: &Sync, view: &View, room: RoomNum, event: Option<EventNum>) -> Result<bool> {
    #[derive(Deserialize)]
    struct Content {
        membership: String,
    }
    let Some(event) = event else { return Ok(false) };
    let row = sync.rooms.row(view, room, event).await?;
    let content: Option<Content> = serde_json::from_str(row.event.content()).ok();
    Ok(content.is_some_and(|content| content.membership == "join"))
}
