//! The state events that a client needs beside the timeline.

use std::collections::{HashMap, HashSet};

use kv::Read;
use room::{
    EventNum, RoomNum, Rooms,
    state::{Difference, Root, keys},
};
use ruma::UserId;

use crate::{Result, streams::timeline::Timeline, told::Teller};

const MEMBER: &str = "m.room.member";

/// Which state events are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The state that the client has; `None` for nothing.
    pub known: Option<Root>,
    /// The state at the end of the timeline.
    pub end: Root,
    /// State after the timeline rather than before it.
    pub after: bool,
    /// Of members, send to a client that has nothing only the senders of the timeline, `user`, and `heroes`. What
    /// changed is sent in any case: clients keep the members that they have loaded up to date by it.
    pub lazy: bool,
    /// Whose sync it is.
    pub user: &'a UserId,
    /// Members that the client needs for the room's name.
    pub heroes: &'a [String],
    /// What the client was told of members before; `None` if it wants them again.
    pub told: Option<&'a Teller<'a>>,
}

/// The numbers of the state events to send, in order of their keys.
pub async fn select(
    rooms: &Rooms,
    read: &impl Read,
    room: RoomNum,
    timeline: &Timeline,
    wanted: Wanted<'_>,
) -> Result<Vec<EventNum>> {
    let start = timeline.before().unwrap_or(wanted.end);
    let target = if wanted.after { wanted.end } else { start };
    let shown: HashSet<_> = timeline.rows.iter().map(|(num, _)| *num).collect();
    let mut nums = match wanted.known {
        None => {
            let nums = match wanted.lazy {
                true => rooms.state_nums_without_members(read, room, target).await?,
                false => rooms.state_nums(read, room, target, None).await?,
            };
            resolved(rooms, read, room, nums, target, wanted, &shown).await?
        }
        Some(known) => changes(rooms, read, room, known, target, wanted.end, &shown).await?,
    };
    if wanted.lazy {
        for member in needed_members(timeline, wanted) {
            if let Some(num) = rooms.state_num(read, room, target, MEMBER, member).await?
                && !nums.contains(&num)
                && (wanted.known.is_none() || !wanted.told.is_some_and(|told| told.is_known(room, num)))
            {
                nums.push(num);
            }
        }
    }
    if !wanted.after {
        nums.retain(|num| !shown.contains(num));
    }
    Ok(nums)
}

/// `nums`, the state at `target`, with what is different at the end although no event of the timeline says so: where
/// servers spoke at once, the state before an event is not all that led to the current one.
async fn resolved(
    rooms: &Rooms,
    read: &impl Read,
    room: RoomNum,
    mut nums: Vec<EventNum>,
    target: Root,
    wanted: Wanted<'_>,
    shown: &HashSet<EventNum>,
) -> Result<Vec<EventNum>> {
    let members = keys::of_type(read, room, MEMBER).await?.unwrap_or(0..0);
    for difference in rooms.trees(room).differences(read, target, wanted.end).await? {
        let new = difference.new.map(EventNum);
        if new.is_some_and(|num| shown.contains(&num)) || wanted.lazy && members.contains(&difference.key) {
            continue;
        }
        nums.retain(|num| Some(num.0) != difference.old);
        nums.extend(new);
    }
    Ok(nums)
}

fn needed_members<'a>(timeline: &'a Timeline, wanted: Wanted<'a>) -> HashSet<&'a str> {
    let mut needed: HashSet<_> = timeline.rows.iter().map(|(_, row)| row.event.sender()).collect();
    needed.extend(wanted.heroes.iter().map(String::as_str));
    if wanted.known.is_none() {
        needed.insert(wanted.user.as_str());
    }
    needed
}

/// What a client that has `known` needs: what differs at `target`, before the timeline, and what changed up to `end` in
/// events that the timeline does not show.
async fn changes(
    rooms: &Rooms,
    read: &impl Read,
    room: RoomNum,
    known: Root,
    target: Root,
    end: Root,
    shown: &HashSet<EventNum>,
) -> Result<Vec<EventNum>> {
    let trees = rooms.trees(room);
    let before = trees.differences(read, known, target).await?;
    let after = if end == target { Vec::new() } else { trees.differences(read, target, end).await? };
    Ok(to_send(&before, &after, shown))
}

/// The new values of these differences that a client needs who has the old ones of the first and sees what is `shown`.
fn to_send(before: &[Difference], after: &[Difference], shown: &HashSet<EventNum>) -> Vec<EventNum> {
    let later: HashMap<_, _> = after.iter().map(|later| (later.key, later)).collect();
    let earlier: HashMap<_, _> = before.iter().map(|earlier| (earlier.key, earlier)).collect();
    let is_shown = |difference: &Difference| difference.new.is_some_and(|num| shown.contains(&EventNum(num)));
    // Where servers spoke at once, the state before the timeline may be older than what the client has: then only what
    // it comes to in the end counts.
    let stays = |difference: &&Difference| later.get(&difference.key).is_none_or(|later| is_shown(later));
    let is_new = |difference: &&Difference| {
        !is_shown(difference) && earlier.get(&difference.key).is_none_or(|earlier| earlier.old != difference.new)
    };
    let all = before.iter().filter(stays).chain(after.iter().filter(is_new));
    all.filter_map(|difference| difference.new.map(EventNum)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(all: &[(u64, u64, u64)]) -> Vec<Difference> {
        all.iter().map(|(key, old, new)| Difference { key: *key, old: Some(*old), new: Some(*new) }).collect()
    }

    #[test]
    fn a_client_is_sent_what_it_does_not_have_and_does_not_see() {
        let cases = [
            // Changed before the timeline, changed in it, changed although nothing in it says so.
            (&[(1, 10, 11)][..], &[][..], &[][..], &[11][..]),
            (&[], &[(1, 10, 11)], &[11], &[]),
            (&[], &[(1, 10, 11)], &[], &[11]),
            // Changed before and in the timeline, or after without being shown.
            (&[(1, 10, 11)], &[(1, 11, 12)], &[12], &[11]),
            (&[(1, 10, 11)], &[(1, 11, 12)], &[], &[12]),
            // The timeline begins on a branch that had not seen what the client has, and comes back to that.
            (&[(1, 11, 10)], &[(1, 10, 11)], &[], &[]),
        ];
        for (before, after, shown, expected) in cases {
            let shown = shown.iter().copied().map(EventNum).collect();
            let sent = to_send(&differences(before), &differences(after), &shown);
            assert_eq!(sent, expected.iter().copied().map(EventNum).collect::<Vec<_>>(), "{before:?} {after:?}");
        }
    }
}
