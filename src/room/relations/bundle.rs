//! Aggregated relations of a page of events (`unsigned.m.relations`), found with one scan per kind.

use std::collections::{HashMap, HashSet};

use event::ClientFormat;
use kv::Read;
use ruma::OwnedEventId;

use super::{Class, Thread};
use crate::{
    EventRow, Membership, Result, Rooms, Viewer,
    num::{EventNum, Place, RoomNum},
    present::Unsigned,
    tables::{CHILDREN, EDITS, THREAD_USERS, THREADS},
};

/// Parents whose numbers are not further apart are found by one scan.
const GAP: u64 = 64;
/// Most events of a thread, by users whom the viewer ignores, that are passed over for its newest one.
const MAX_IGNORED: usize = 1000;
/// Most references that the bundles of one page list; the rest is for `/relations`.
const MAX_REFERENCES: usize = 500;

/// The aggregated relations of a page of events, ready to be written.
#[derive(Debug, Default)]
pub(crate) struct Bundles {
    edits: HashMap<EventNum, EventNum>,
    threads: HashMap<EventNum, ThreadBundle>,
    references: HashMap<EventNum, Vec<OwnedEventId>>,
    /// Edits and newest events of threads, as far as the viewer may see them.
    rows: HashMap<EventNum, EventRow>,
}

#[derive(Debug, Clone, Copy)]
struct ThreadBundle {
    count: u64,
    latest: EventNum,
    participated: bool,
}

impl Rooms {
    /// The aggregated relations of `rows`.
    pub(crate) async fn bundles(
        &self,
        read: &impl Read,
        room: RoomNum,
        viewer: &Viewer<'_>,
        rows: &[(EventNum, EventRow)],
    ) -> Result<Bundles> {
        let mut parents: Vec<_> =
            rows.iter().filter(|(_, row)| row.event.state_key().is_none()).map(|(num, _)| *num).collect();
        parents.sort_unstable();
        let mut bundles = Bundles::default();
        for run in parents.chunk_by(|a, b| b.0 - a.0 <= GAP) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let end = EventNum(last.0 + 1);
            let (edits, threads) = edits_and_threads(read, room, (*first, end)).await?;
            bundles.edits.extend(edits);
            for (root, thread) in threads {
                if let Some(thread) = self.thread_bundle(read, room, viewer, root, thread).await? {
                    bundles.threads.insert(root, thread);
                }
            }
            self.collect_references(read, room, viewer, (*first, end), &mut bundles).await?;
        }
        let wanted: HashSet<_> = parents.into_iter().collect();
        bundles.edits.retain(|parent, _| wanted.contains(parent));
        bundles.threads.retain(|parent, _| wanted.contains(parent));
        bundles.references.retain(|parent, _| wanted.contains(parent));
        self.load(read, room, viewer, rows, &mut bundles).await?;
        Ok(bundles)
    }

    /// A thread without those whom the viewer ignores; `None` if nothing is left.
    async fn thread_bundle(
        &self,
        read: &impl Read,
        room: RoomNum,
        viewer: &Viewer<'_>,
        root: EventNum,
        thread: Thread,
    ) -> Result<Option<ThreadBundle>> {
        let Thread { mut count, mut latest, .. } = thread;
        let participated = read.peek(&THREAD_USERS, (room, root, viewer.user)).await?.is_some();
        let others = viewer.ignored.iter().filter(|user| *user != viewer.user);
        let keys: Vec<_> = others.map(|user| (room, root, user.clone())).collect();
        let ignored: u64 = match keys.is_empty() {
            true => 0,
            false => read.get_many(&THREAD_USERS, keys).await?.into_iter().flatten().sum(),
        };
        if ignored > 0 {
            count = count.saturating_sub(ignored);
            let mut newest = read.scan_back(&CHILDREN, CHILDREN.under(&(room, Class::Thread.code(), root)));
            let mut passed = 0;
            loop {
                match newest.next().await? {
                    Some((_, child)) if !viewer.ignores(child.sender.as_str()) => break latest = child.num,
                    Some(_) if passed < MAX_IGNORED => passed += 1,
                    _ => return Ok(None),
                }
            }
        }
        Ok((count > 0).then_some(ThreadBundle { count, latest, participated }))
    }

    async fn collect_references(
        &self,
        read: &impl Read,
        room: RoomNum,
        viewer: &Viewer<'_>,
        (first, end): (EventNum, EventNum),
        bundles: &mut Bundles,
    ) -> Result<()> {
        let class = Class::Reference.code();
        let range = CHILDREN.between(&(room, class, first, Place::MIN), &(room, class, end, Place::MIN));
        let found = read.scan(&CHILDREN, range).by(32).first(MAX_REFERENCES).await?;
        if found.is_empty() {
            return Ok(());
        }
        let nums = found.iter().map(|(_, child)| child.num).collect();
        let hidden = self.hidden(read, room, viewer, nums).await?;
        for ((_, _, parent, _), child) in found {
            if !viewer.ignores(child.sender.as_str()) && !hidden.contains(&child.num) {
                bundles.references.entry(parent).or_default().push(child.id);
            }
        }
        Ok(())
    }

    /// Which of these events somebody who is not in the room may not see; members see what comes later.
    async fn hidden(
        &self,
        read: &impl Read,
        room: RoomNum,
        viewer: &Viewer<'_>,
        nums: Vec<EventNum>,
    ) -> Result<HashSet<EventNum>> {
        if self.membership(read, viewer.user, room).await? == Membership::Join {
            return Ok(HashSet::new());
        }
        let rows = self.rows(read, room, nums).await?;
        let mut hidden: HashSet<_> = rows.iter().map(|(num, _)| *num).collect();
        for (num, _) in self.visible(read, room, viewer, rows).await? {
            hidden.remove(&num);
        }
        Ok(hidden)
    }

    /// Reads the events that the bundles show, with the edits of the newest events of threads.
    async fn load(
        &self,
        read: &impl Read,
        room: RoomNum,
        viewer: &Viewer<'_>,
        rows: &[(EventNum, EventRow)],
        bundles: &mut Bundles,
    ) -> Result<()> {
        for (num, _) in rows.iter().filter(|(_, row)| row.meta.redacted_by.is_some()) {
            bundles.edits.remove(num);
        }
        let latest: Vec<_> = bundles.threads.values().map(|thread| thread.latest).collect();
        if !latest.is_empty() {
            let keys: Vec<_> = latest.iter().map(|num| (room, *num)).collect();
            let edits = read.get_many(&EDITS, keys).await?;
            bundles.edits.extend(latest.iter().zip(edits).filter_map(|(num, edit)| Some((*num, edit?))));
        }
        let wanted: HashSet<_> = latest.into_iter().chain(bundles.edits.values().copied()).collect();
        if !wanted.is_empty() {
            let rows = self.rows(read, room, wanted).await?;
            bundles.rows = self.visible(read, room, viewer, rows).await?.into_iter().collect();
        }
        Ok(())
    }
}

/// The edits of the events from `first` on and before `end`, and the threads below them.
async fn edits_and_threads(
    read: &impl Read,
    room: RoomNum,
    (first, end): (EventNum, EventNum),
) -> Result<(Vec<(EventNum, EventNum)>, Vec<(EventNum, Thread)>)> {
    if end.0 - first.0 == 1 {
        // What a sync brings most often: looking for two rows costs less than two scans.
        let edit = read.peek(&EDITS, (room, first)).await?.map(|edit| (first, edit));
        let thread = read.peek(&THREADS, (room, first)).await?.map(|thread| (first, thread));
        return Ok((edit.into_iter().collect(), thread.into_iter().collect()));
    }
    let (from, to) = ((room, first), (room, end));
    let edits = read.scan(&EDITS, EDITS.between(&from, &to)).by(32).collect().await?;
    let threads = read.scan(&THREADS, THREADS.between(&from, &to)).by(32).collect().await?;
    Ok((
        edits.into_iter().map(|((_, parent), edit)| (parent, edit)).collect(),
        threads.into_iter().map(|((_, root), thread)| (root, thread)).collect(),
    ))
}

impl Bundles {
    /// Adds what is known of the event `num` to its `unsigned`.
    pub(crate) fn write(
        &self,
        viewer: &Viewer<'_>,
        num: EventNum,
        row: &EventRow,
        unsigned: &mut Unsigned,
        format: ClientFormat,
    ) {
        let edit = self.edit(num);
        let thread = self.threads.get(&num).and_then(|thread| Some((thread, self.rows.get(&thread.latest)?)));
        let references = self.references.get(&num);
        if edit.is_none() && thread.is_none() && references.is_none() {
            return;
        }
        let out = unsigned.key("m.relations");
        let mut before = b'{';
        if let Some(edit) = edit {
            push_key(out, &mut before, "m.replace");
            out.extend_from_slice(&Unsigned::of(viewer, edit).around(edit, format));
        }
        if let Some(ids) = references {
            push_key(out, &mut before, "m.reference");
            push_references(out, ids);
        }
        if let Some((thread, latest)) = thread {
            push_key(out, &mut before, "m.thread");
            let participated = thread.participated || row.event.sender() == viewer.user;
            out.extend_from_slice(b"{\"latest_event\":");
            out.extend_from_slice(&self.latest(viewer, thread.latest, latest, format));
            let rest = format!(",\"count\":{},\"current_user_participated\":{participated}}}", thread.count);
            out.extend_from_slice(rest.as_bytes());
        }
        out.push(b'}');
    }

    fn edit(&self, num: EventNum) -> Option<&EventRow> {
        self.rows.get(self.edits.get(&num)?)
    }

    fn latest(&self, viewer: &Viewer<'_>, num: EventNum, row: &EventRow, format: ClientFormat) -> Vec<u8> {
        let mut unsigned = Unsigned::of(viewer, row);
        if let Some(edit) = self.edit(num) {
            let out = unsigned.key("m.relations");
            out.extend_from_slice(b"{\"m.replace\":");
            out.extend_from_slice(&Unsigned::of(viewer, edit).around(edit, format));
            out.push(b'}');
        }
        unsigned.around(row, format)
    }
}

fn push_key(out: &mut Vec<u8>, before: &mut u8, key: &str) {
    out.push(std::mem::replace(before, b','));
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

fn push_references(out: &mut Vec<u8>, ids: &[OwnedEventId]) {
    out.extend_from_slice(b"{\"chunk\":");
    let mut before = b'[';
    for id in ids {
        out.push(std::mem::replace(&mut before, b','));
        // Event ids have nothing that JSON escapes.
        out.extend_from_slice(b"{\"event_id\":\"");
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(b"\"}");
    }
    out.extend_from_slice(b"]}");
}
