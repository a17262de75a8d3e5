//! Which rooms have news, and what each of them says.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use account::{InviteFilter, InviteVerdict};
use kv::{Read, Stamped, View};
use parking_lot::Mutex;
use push::Reader;
use room::{
    EventNum, EventRow, Membership, Place, RoomNum, Rooms, Stay, TimelineToken, Tip, UserRoom, Viewer,
    tables::USER_CHANGES,
};

use ruma::{OwnedUserId, UserId};

use crate::{
    Request, Response, Result, RoomPart, Sync, Wants,
    span::Span,
    streams::{
        account_data::{self, RoomData},
        ephemeral, heroes,
        state::{self, Wanted},
        stripped,
        timeline::{self, Timeline},
    },
    told::Teller,
};

/// Everything that the making of one response refers to.
pub struct Context<'a> {
    sync: &'a Sync,
    view: &'a View,
    request: &'a Request,
    span: Span<'a>,
    reader: Arc<Reader>,
    room_data: HashMap<RoomNum, RoomData>,
    global_data: Vec<Vec<u8>>,
    now: u64,
    /// Users with whom a room is shared only now: their presence is news.
    newcomers: Mutex<HashSet<OwnedUserId>>,
    /// Rooms whose state is what it was when the span began.
    unmoved: Mutex<HashSet<RoomNum>>,
    /// What the device has of lazy-loaded members.
    told: Option<Teller<'a>>,
}

/// A room that goes into the response.
struct Candidate {
    room: RoomNum,
    row: Stamped<UserRoom>,
}

impl<'a> Context<'a> {
    /// Reads what all rooms need: account data and whom the user ignores.
    pub async fn new(sync: &'a Sync, view: &'a View, request: &'a Request, span: Span<'a>) -> Result<Self> {
        let changed = sync.user_changed(&request.user, span);
        let data = account_data::read(sync, view, request, span, changed).await?;
        let reader = sync.reader(view, &request.user).await?;
        let remembers = request.wants.state.lazy_members && !request.wants.state.redundant_members;
        let device = request.device.clone().filter(|_| remembers);
        let told = device.map(|device| sync.told.teller((request.user.clone(), device), span.since, span.upto));
        Ok(Self {
            sync,
            view,
            request,
            span,
            reader,
            room_data: data.rooms,
            global_data: data.global,
            now: sync.rooms.clock().now(),
            newcomers: Mutex::default(),
            unmoved: Mutex::default(),
            told,
        })
    }

    /// Global account data.
    pub fn account_data(&self, response: &mut Response) {
        response.account_data.clone_from(&self.global_data);
    }

    /// All rooms with news.
    pub async fn rooms(&self, joined: &HashSet<RoomNum>, response: &mut Response) -> Result<()> {
        for candidate in self.candidates(joined).await? {
            let info = self.rooms_handle().info(self.view, candidate.room).await?;
            if !self.wants().room(&info.id) {
                continue;
            }
            let id = info.id.to_string();
            match candidate.row.value.membership {
                Membership::Join => {
                    let part = self.joined(candidate.room, &candidate.row).await?;
                    if !part.is_empty() {
                        response.join.push((id, part));
                    }
                }
                Membership::Invite => {
                    if !self.is_unwanted(&candidate).await? {
                        response.invite.push((id, self.stripped(&candidate).await?));
                    }
                }
                Membership::Knock => response.knock.push((id, self.stripped(&candidate).await?)),
                Membership::Leave | Membership::Ban => {
                    if let Some(part) = self.left(&candidate).await? {
                        response.leave.push((id, part));
                    }
                }
            }
        }
        Ok(())
    }

    /// Rooms that may have news: all of the user's without a token, else those that changed.
    async fn candidates(&self, joined: &HashSet<RoomNum>) -> Result<Vec<Candidate>> {
        let user = &self.request.user;
        let Some(since) = self.span.since else { return self.all_rooms().await };
        let mut rooms: HashSet<RoomNum> = if self.request.full_state {
            joined.clone()
        } else {
            let changed = self.sync.index.changed_among(joined, since, self.span.upto);
            changed.unwrap_or_else(|| joined.clone())
        };
        rooms.extend(self.room_data.keys());
        if self.sync.user_changed(user, self.span) {
            for (from, to) in self.span.stamps() {
                rooms.extend(self.sync.receipts.own_rooms(self.view, user, from, to).await?);
                let range = USER_CHANGES.between(&(user, from), &(user, to));
                rooms.extend(self.view.scan(&USER_CHANGES, range).collect().await?.into_iter().map(|(_, room)| room));
            }
        }
        let mut found = Vec::with_capacity(rooms.len());
        for room in rooms {
            if let Some(row) = self.rooms_handle().user_room(self.view, user, room).await?
                && self.is_wanted(&row)
            {
                found.push(Candidate { room, row });
            }
        }
        Ok(found)
    }

    async fn all_rooms(&self) -> Result<Vec<Candidate>> {
        let rows = self.rooms_handle().user_rooms(self.view, &self.request.user).await?;
        let all = rows.into_iter().map(|(room, row)| Candidate { room, row });
        Ok(all.filter(|candidate| self.is_wanted(&candidate.row)).collect())
    }

    fn is_wanted(&self, row: &Stamped<UserRoom>) -> bool {
        match row.value.membership {
            Membership::Join => true,
            Membership::Invite | Membership::Knock => self.span.contains(row.at),
            Membership::Leave | Membership::Ban => {
                // That a room was left is told even if it was forgotten meanwhile.
                let news = self.span.since.is_some() && self.span.contains(row.at);
                news || (!row.value.forgotten && self.wants().left_rooms)
            }
        }
    }

    /// A room that the user is in.
    async fn joined(&self, room: RoomNum, row: &Stamped<UserRoom>) -> Result<RoomPart> {
        let newly = self.span.since.is_none() || self.span.contains(row.at);
        let full = newly || self.request.full_state;
        let rooms = self.rooms_handle();
        let limit = self.wants().limit();
        let mut timeline = if newly {
            timeline::latest(rooms, self.view, room, Place::MAX, limit, |row| self.keeps(row)).await?
        } else {
            timeline::news(rooms, self.view, room, self.span, limit, |row| self.keeps(row)).await?
        };
        // What went on before is not what the client saw last, even if all of it fits.
        timeline.limited |= newly && self.span.since.is_some();
        let tip = rooms.tip(self.view, room).await?;
        self.meet(room, newly, &timeline).await?;
        if !newly && timeline.known.is_none_or(|known| known == tip.state) {
            self.unmoved.lock().insert(room);
        }
        let mut part = RoomPart { listed: newly, state_after: self.request.state_after, ..RoomPart::default() };
        if full || timeline.resummarized || timeline.limited {
            part.summary = Some(heroes::summary(rooms, self.view, room, &tip, &self.request.user).await?);
        }
        let known = if full { None } else { Some(timeline.known.unwrap_or(tip.state)) };
        self.fill(room, &tip, timeline, known, &mut part).await?;
        part.ephemeral = self.ephemeral(room, newly).await?;
        part.account_data = self.data_of(room, newly).await?;
        if !part.is_empty() {
            self.count(room, &mut part).await?;
        }
        Ok(part)
    }

    /// Notes whom the user shares a room with only now: those who joined, or all when the user did.
    async fn meet(&self, room: RoomNum, newly: bool, timeline: &Timeline) -> Result<()> {
        if self.span.since.is_none() {
            return Ok(());
        }
        if newly {
            for user in self.sync.presence.present() {
                if self.rooms_handle().membership(self.view, &user, room).await? == Membership::Join {
                    self.newcomers.lock().insert(user);
                }
            }
            return Ok(());
        }
        for (_, row) in &timeline.rows {
            let joined = row.event.kind() == "m.room.member" && row.event.content().contains("\"membership\":\"join\"");
            if let Some(user) = row.event.state_key().filter(|_| joined)
                && let Ok(user) = OwnedUserId::try_from(user)
            {
                self.newcomers.lock().insert(user);
            }
        }
        Ok(())
    }

    /// Those whom the user shares a room with only now, and the rooms whose state is what it was.
    pub fn finish(self) -> (HashSet<OwnedUserId>, HashSet<RoomNum>) {
        (self.newcomers.into_inner(), self.unmoved.into_inner())
    }

    /// Unread counts; threads by themselves if the client wants that.
    async fn count(&self, room: RoomNum, part: &mut RoomPart) -> Result<()> {
        let by_thread = self.wants().thread_counts;
        let counts = self.sync.counts.of(self.view, &self.reader, room, by_thread).await?;
        part.unread = Some(if by_thread { counts.main } else { counts.total });
        part.unread_threads = counts.threads.into_iter().map(|(root, unread)| (root.to_string(), unread)).collect();
        Ok(())
    }

    /// Typing and receipts; all of them in a room that is new to the client.
    async fn ephemeral(&self, room: RoomNum, newly: bool) -> Result<Vec<Vec<u8>>> {
        let span = if newly { Span { since: None, ..self.span } } else { self.span };
        let (sync, user) = (self.sync, &self.request.user);
        let mut events = Vec::new();
        if !self.wants().ephemeral.admits_room(&self.rooms_handle().info(self.view, room).await?.id) {
            return Ok(events);
        }
        if self.wants().ephemeral.admits_type("m.typing") {
            events.extend(ephemeral::typing(&sync.typing, room, span, &self.reader.ignored));
        }
        if self.wants().ephemeral.admits_type("m.receipt") && sync.receipts_moved(user, room, span) {
            events
                .extend(ephemeral::receipts(&sync.receipts, self.view, room, span, user, &self.reader.ignored).await?);
        }
        Ok(events)
    }

    /// Room account data: what changed, or all of it in a room that is new to the client.
    async fn data_of(&self, room: RoomNum, newly: bool) -> Result<Vec<Vec<u8>>> {
        if newly && self.span.since.is_some() {
            let id = &self.rooms_handle().info(self.view, room).await?.id;
            return account_data::of_room(self.sync, self.view, &self.request.user, id, &self.wants().room_data).await;
        }
        Ok(self.room_data.get(&room).map(|data| data.events.clone()).unwrap_or_default())
    }

    /// Timeline and state of a room.
    async fn fill(
        &self,
        room: RoomNum,
        tip: &Tip,
        mut timeline: Timeline,
        known: Option<room::state::Root>,
        part: &mut RoomPart,
    ) -> Result<()> {
        let rooms = self.rooms_handle();
        let viewer = self.viewer();
        timeline.rows = rooms.visible(self.view, room, &viewer, timeline.rows).await?;
        let heroes = part.summary.as_ref().and_then(|summary| summary.heroes.as_deref()).unwrap_or_default();
        let told = self.told.as_ref();
        let wanted = Wanted {
            known,
            end: tip.state,
            after: part.state_after.is_some(),
            lazy: self.wants().state.lazy_members,
            user: &self.request.user,
            heroes,
            told,
        };
        let nums = state::select(rooms, self.view, room, &timeline, wanted).await?;
        let mut state = rooms.rows(self.view, room, nums).await?;
        state.retain(|(_, row)| self.wants().state.admits(&row.event));
        if let Some(told) = told {
            told.note(room, &state);
            if part.state_after.is_none() {
                told.note(room, &timeline.rows);
            }
        }
        part.state = self.present(room, &state, false).await?;
        part.timeline = self.present(room, &timeline.rows, true).await?;
        part.limited = timeline.limited;
        part.prev_batch = timeline.start.map(|place| TimelineToken::before(place).to_string());
        Ok(())
    }

    /// A room that the user left: what happened up to then.
    async fn left(&self, candidate: &Candidate) -> Result<Option<RoomPart>> {
        let rooms = self.rooms_handle();
        let stay = rooms.last_stay(self.view, candidate.room, &self.request.user).await?;
        let (place, own) = match stay {
            Stay::Ended { num, place, row } if num == candidate.row.value.event => (place, row),
            // They were not there just before: what went on is not for them.
            _ => return Ok(Some(self.left_outside(candidate).await?)),
        };
        let limit = self.wants().limit();
        let mut timeline = match self.span.since {
            None => {
                timeline::latest(rooms, self.view, candidate.room, place.next(), limit, |row| self.keeps(row)).await?
            }
            Some(_) => {
                // What went on after that is not for the user and must not push out what is.
                let upto = self.span.until(candidate.row.at);
                let span = Span { upto: &upto, ..self.span };
                timeline::news(rooms, self.view, candidate.room, span, limit, |row| self.keeps(row)).await?
            }
        };
        timeline.rows.retain(|(_, row)| row.meta.place.is_some_and(|at| at <= place));
        let mut tip = rooms.tip(self.view, candidate.room).await?;
        tip.state = rooms.state_after(self.view, candidate.room, candidate.row.value.event, &own).await?;
        let mut part = RoomPart { listed: true, state_after: self.request.state_after, ..RoomPart::default() };
        let known = self.span.since.and(timeline.known);
        self.fill(candidate.room, &tip, timeline, known, &mut part).await?;
        part.account_data = self.data_of(candidate.room, false).await?;
        Ok(Some(part))
    }

    /// The end of an invite or knock, or a ban from outside: nothing but that.
    async fn left_outside(&self, candidate: &Candidate) -> Result<RoomPart> {
        let num = candidate.row.value.event;
        let own = (num, self.rooms_handle().row(self.view, candidate.room, num).await?);
        let timeline = self.present(candidate.room, &[own], false).await?;
        let state_after = self.request.state_after;
        // Who takes no state from timelines would not notice.
        let state = if state_after.is_some() { timeline.clone() } else { Vec::new() };
        Ok(RoomPart { listed: true, state_after, state, timeline, ..RoomPart::default() })
    }

    /// Whether an invite comes from somebody whom the user ignores, or whose invites are not to be shown.
    async fn is_unwanted(&self, candidate: &Candidate) -> Result<bool> {
        let row = self.rooms_handle().row(self.view, candidate.room, candidate.row.value.event).await?;
        let Ok(sender) = <&UserId>::try_from(row.event.sender()) else { return Ok(true) };
        let hidden = InviteFilter::of(self.view, &self.request.user).await?.verdict(sender) == InviteVerdict::Hide;
        Ok(hidden || self.reader.ignored.contains(sender))
    }

    async fn stripped(&self, candidate: &Candidate) -> Result<Vec<Vec<u8>>> {
        let user = &self.request.user;
        stripped::of_room(self.rooms_handle(), self.view, candidate.room, user, candidate.row.value.event).await
    }

    async fn present(&self, room: RoomNum, rows: &[(EventNum, EventRow)], bundle: bool) -> Result<Vec<Vec<u8>>> {
        let format = self.wants().format;
        let mut events = self.rooms_handle().present(self.view, room, &self.viewer(), rows, format, bundle).await?;
        if let Some(fields) = &self.wants().fields {
            events.iter_mut().for_each(|event| *event = fields.pick(event));
        }
        Ok(events)
    }

    fn viewer(&self) -> Viewer<'_> {
        Viewer {
            user: &self.request.user,
            device: self.request.device.as_deref(),
            now: self.now,
            ignored: &self.reader.ignored,
        }
    }

    fn rooms_handle(&self) -> &'a Rooms {
        &self.sync.rooms
    }

    fn wants(&self) -> &Wants {
        &self.request.wants
    }

    fn keeps(&self, row: &EventRow) -> bool {
        self.wants().timeline.admits(&row.event)
    }
}
