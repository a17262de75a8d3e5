//! Sums each event as it is appended, at a cost that does not depend on how many members the room has.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::BoxFuture;
use kv::{Read, Tx};
use moka::sync::Cache;
use room::{Appended, EventNum, EventRow, MemberStep, Membership, Place, Projection, RoomError, RoomNum, Rooms, Tip};
use ruma::{OwnedUserId, UserId, events::TimelineEventType, push::Ruleset};

use crate::{
    custom::Watch,
    defaults,
    facts::Facts,
    ledger::{self, Entry, Scope},
    names, rules, signs,
    tables::{At, CONCERNED, JOINED, THREAD_LIST, THREADS, TRACES, Traces, WATCHES, WRITTEN},
    tally::Signature,
};

/// How many sets of watched rules are kept parsed.
const PARSED: u64 = 10_000;

/// Keeps the sums that unread counts are made of.
pub struct CountsProjection {
    defaults: Ruleset,
    parsed: Cache<String, Arc<Vec<Watch>>>,
}

impl std::fmt::Debug for CountsProjection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CountsProjection").finish_non_exhaustive()
    }
}

impl CountsProjection {
    /// Of a server with this name.
    pub fn new(server: &ruma::ServerName) -> Self {
        // Nobody has an empty localpart; the rules that name their user match nothing for this one.
        let nobody = UserId::parse(format!("@:{server}")).unwrap_or_else(|_| ruma::owned_user_id!("@:localhost"));
        Self { defaults: defaults::ruleset(&nobody), parsed: Cache::new(PARSED) }
    }

    fn parse(&self, json: String) -> Arc<Vec<Watch>> {
        if let Some(parsed) = self.parsed.get(&json) {
            return parsed;
        }
        let parsed = Arc::new(serde_json::from_str(&json).unwrap_or_default());
        self.parsed.insert(json, Arc::clone(&parsed));
        parsed
    }

    async fn count(
        &self,
        rooms: &Rooms,
        tx: &mut Tx,
        tip: &Tip,
        event: &Appended<'_>,
        thread: Option<EventNum>,
    ) -> room::Result<()> {
        let row = rooms.row(tx, event.room, event.num).await?;
        // A redaction can be there before what it redacts, and what waits to take effect is shown to nobody.
        if row.meta.redacted_by.is_some() || tx.has(&room::tables::HELD, (event.room, event.num)).await? {
            return Ok(());
        }
        let Some(facts) = signs::facts(rooms, tx, event.room, &event.info.id, tip, &row).await? else { return Ok(()) };
        let entry = Entry { room: event.room, thread, place: event.place };
        let impersonal = Signature { defaults: signs::defaults(&facts, &self.defaults), own: Vec::new() };
        ledger::add(tx, entry, Scope::All, &impersonal).await?;
        ledger::add(tx, entry, Scope::From(facts.sender), &impersonal).await?;
        if let Some(root) = thread {
            move_thread(tx, event.room, root, event.place).await?;
        }
        let concerned = self.concerned(rooms, tx, tip, event.room, &facts, &impersonal).await?;
        if concerned.is_empty() {
            return Ok(());
        }
        for (user, signature) in &concerned {
            ledger::add(tx, entry, Scope::To(user), signature).await?;
            ledger::add(tx, entry, Scope::FromTo(facts.sender, user), signature).await?;
            trace(tx, event.room, user, |traces| traces.concerned = Some(event.place)).await?;
        }
        let users = concerned.into_keys().map(String::from).collect();
        tx.put(&CONCERNED, (event.room, event.num), &users);
        Ok(())
    }

    /// The local members to whom the event is more than to the others, and what it is to them.
    async fn concerned(
        &self,
        rooms: &Rooms,
        tx: &Tx,
        tip: &Tip,
        room: RoomNum,
        facts: &Facts<'_>,
        impersonal: &Signature,
    ) -> room::Result<BTreeMap<OwnedUserId, Signature>> {
        let mut concerned = BTreeMap::new();
        for user in signs::mentions(facts) {
            let here = user != facts.sender && user.server_name() == rooms.server();
            if here && tx.peek(&JOINED, (room, user)).await?.is_some() {
                concerned.insert(user.to_owned(), signs::signature(impersonal.defaults, true, Vec::new()));
            }
        }
        if let Some(text) = signs::old_text(facts) {
            for (user, rules) in names::in_text(tx, room, text).await? {
                if user != facts.sender {
                    concerned.entry(user).or_insert_with(|| impersonal.clone()).defaults |= rules;
                }
            }
        }
        let mut watching = tx.scan(&WATCHES, WATCHES.under(&(room,)));
        while let Some(((_, user), json)) = watching.next().await? {
            if user == facts.sender {
                continue;
            }
            let watches = self.parse(json);
            let name = match signs::needs_name(&watches) {
                true => signs::display_name(rooms, tx, room, tip, &user).await?,
                false => None,
            };
            let own = signs::own(facts, &watches, name.as_deref());
            if !own.is_empty() {
                concerned.entry(user).or_insert_with(|| impersonal.clone()).own = own;
            }
        }
        Ok(concerned)
    }

    async fn project(&self, rooms: &Rooms, tx: &mut Tx, tip: &Tip, event: &Appended<'_>) -> room::Result<()> {
        let thread = rooms.thread_root_of(tx, event.room, event.num).await?;
        note_sent(rooms, tx, event, thread).await?;
        for step in event.members {
            member_changed(rooms, tx, event, step).await?;
            note_name(rooms, tx, tip, event.room, &step.user).await?;
        }
        // A new name changes no membership.
        let renamed = event.pdu.state_key.as_deref().filter(|_| event.pdu.kind == TimelineEventType::RoomMember);
        if let Some(user) = renamed.and_then(|user| <&UserId>::try_from(user).ok()) {
            note_name(rooms, tx, tip, event.room, user).await?;
        }
        self.count(rooms, tx, tip, event, thread).await?;
        match &event.pdu.redacts {
            Some(target) => redacted(rooms, tx, event, target).await,
            None => Ok(()),
        }
    }
}

impl Projection for CountsProjection {
    fn apply<'a>(
        &'a self,
        rooms: &'a Rooms,
        tx: &'a mut Tx,
        tip: &'a Tip,
        event: &'a Appended<'a>,
    ) -> BoxFuture<'a, kv::Result<()>> {
        Box::pin(async move {
            self.project(rooms, tx, tip, event).await.map_err(|error| match error {
                RoomError::Store(error) => error,
                error => kv::Error::corrupt("push.sums", error),
            })
        })
    }
}

/// Notes since when a local member is in the room, and which of their rules are to be tried there.
async fn member_changed(rooms: &Rooms, tx: &mut Tx, event: &Appended<'_>, step: &MemberStep) -> room::Result<()> {
    let user = &step.user;
    if user.server_name() != rooms.server() {
        return Ok(());
    }
    match (step.previous == Membership::Join, step.now == Membership::Join) {
        (false, true) => {
            tx.put(&JOINED, (event.room, user), &At(event.place));
            tx.put(&TRACES, (event.room, user), &Traces::default());
            let rules = rules::of(tx, user).await?;
            rules::watch(tx, user, event.room, &event.info.id, &rules).await?;
        }
        (true, false) => {
            tx.delete(&JOINED, (event.room, user));
            tx.delete(&TRACES, (event.room, user));
            tx.delete(&WATCHES, (event.room, user));
        }
        _ => {}
    }
    Ok(())
}

/// Notes how a local member is called in a room.
async fn note_name(rooms: &Rooms, tx: &mut Tx, tip: &Tip, room: RoomNum, user: &UserId) -> room::Result<()> {
    if user.server_name() != rooms.server() {
        return Ok(());
    }
    let name = match tx.has(&JOINED, (room, user)).await? {
        true => Some(signs::display_name(rooms, tx, room, tip, user).await?.unwrap_or_default().to_lowercase()),
        false => None,
    };
    Ok(names::note(tx, room, user, name).await?)
}

/// Changes the traces of a local member.
async fn trace(tx: &mut Tx, room: RoomNum, user: &UserId, change: impl FnOnce(&mut Traces)) -> kv::Result<()> {
    let mut traces = tx.peek(&TRACES, (room, user)).await?.unwrap_or(Traces::UNKNOWN);
    change(&mut traces);
    tx.put(&TRACES, (room, user), &traces);
    Ok(())
}

/// Notes what a local member sent. Who writes has read what was before; state does not say that (a profile changes in all
/// rooms at once), nor does a redaction, which may be of something old.
async fn note_sent(rooms: &Rooms, tx: &mut Tx, event: &Appended<'_>, thread: Option<EventNum>) -> room::Result<()> {
    let (sender, place) = (&*event.pdu.sender, event.place);
    if sender.server_name() != rooms.server() {
        return Ok(());
    }
    let is_written = event.pdu.state_key.is_none() && event.pdu.redacts.is_none();
    match thread {
        Some(root) if is_written => tx.put(&WRITTEN, (event.room, sender, root), &At(place)),
        Some(_) => {}
        None => {
            let written = Some(place).filter(|_| is_written);
            let change = |traces: &mut Traces| {
                (traces.written, traces.sent) = (written.or(traces.written), Some(place));
            };
            trace(tx, event.room, sender, change).await?;
        }
    }
    Ok(())
}

/// Takes an event out of the sums that this one has just redacted.
async fn redacted(rooms: &Rooms, tx: &mut Tx, event: &Appended<'_>, target: &ruma::EventId) -> room::Result<()> {
    let Some(at) = rooms.locate(tx, target).await?.filter(|at| at.room == event.room) else { return Ok(()) };
    let row: EventRow = rooms.row(tx, at.room, at.num).await?;
    let Some(place) = row.meta.place.filter(|_| row.meta.redacted_by == Some(event.num)) else { return Ok(()) };
    let thread = rooms.thread_root_of(tx, at.room, at.num).await?;
    let entry = Entry { room: at.room, thread, place };
    ledger::strike(tx, entry, Scope::All).await?;
    let Ok(sender) = <&UserId>::try_from(row.event.sender()) else { return Ok(()) };
    ledger::strike(tx, entry, Scope::From(sender)).await?;
    let concerned = tx.peek(&CONCERNED, (at.room, at.num)).await?.unwrap_or_default();
    for user in concerned.iter().filter_map(|user| <&UserId>::try_from(user.as_str()).ok()) {
        ledger::strike(tx, entry, Scope::To(user)).await?;
        ledger::strike(tx, entry, Scope::FromTo(sender, user)).await?;
    }
    tx.delete(&CONCERNED, (at.room, at.num));
    Ok(())
}

/// Brings the list of threads up to date.
async fn move_thread(tx: &mut Tx, room: RoomNum, root: EventNum, place: Place) -> kv::Result<()> {
    if let Some(At(old)) = tx.peek(&THREADS, (room, root)).await? {
        tx.delete(&THREAD_LIST, (room, old, root));
    }
    tx.put(&THREADS, (room, root), &At(place));
    tx.put(&THREAD_LIST, (room, place, root), &());
    Ok(())
}
