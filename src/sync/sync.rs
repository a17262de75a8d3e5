use std::{collections::HashSet, sync::Arc, time::Duration};

use account::AccountData;
use e2ee::{Keys, Mailbox};
use ephemeral::{Presence, PresenceState, Receipts, Typing};
use futures::future::{BoxFuture, FutureExt};
use kv::{Announcement, Db, Observer, Positions, View};
use push::{Counts, Reader, Rules};
use quick_cache::sync::Cache;
use room::{Membership, RoomNum, Rooms};
use ruma::{OwnedDeviceId, OwnedUserId, UserId};
use tokio::time::Instant;

use crate::{
    Response, Result, SyncError, SyncToken, Wants,
    index::ChangeIndex,
    online::{Online, Watcher},
    rooms::Context,
    span::Span,
    streams::{keys, presence, to_device},
    told::Told,
};

/// The longest that a request waits.
pub const MAX_WAIT: Duration = Duration::from_secs(90);

/// Users of whom it is kept by which rules they count, and whom they ignore.
const READERS: usize = 10_000;

/// A `/sync` request. Client-server API, "Syncing".
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub user: OwnedUserId,
    /// On which device.
    pub device: Option<OwnedDeviceId>,
    /// The token of the response before; `None` for everything.
    pub since: Option<String>,
    /// How long to wait for news; at most [`MAX_WAIT`].
    pub timeout: Duration,
    /// What is wanted.
    pub wants: Wants,
    /// Whether to send all state, and at once.
    pub full_state: bool,
    /// Whether to send the state after the timeline instead of that before it, and how that is called.
    pub state_after: Option<StateAfter>,
    /// How the client wants to be seen while it syncs.
    pub presence: PresenceState,
}

/// How the state after the timeline is called in a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateAfter {
    /// As in the specification.
    Stable,
    /// As in MSC4222, for clients that ask for it by that name: matrix-js-sdk knows no other.
    Unstable,
}

impl StateAfter {
    /// The key of the section.
    pub fn key(self) -> &'static str {
        match self {
            Self::Stable => "state_after",
            Self::Unstable => "org.matrix.msc4222.state_after",
        }
    }
}

/// What [`Sync`] draws from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Rooms.
    pub rooms: Rooms,
    /// Account data.
    pub account_data: AccountData,
    /// Who has read how far.
    pub receipts: Receipts,
    /// Who is typing.
    pub typing: Typing,
    /// Who is there.
    pub presence: Presence,
    /// Unread counts.
    pub counts: Counts,
    /// Push rules.
    pub push_rules: Rules,
    /// Encryption keys.
    pub keys: Keys,
    /// Messages to devices.
    pub mailbox: Mailbox,
}

/// Answers `/sync`. Shared by an `Arc`: a clone for every request would clone all that it draws from.
#[derive(Debug)]
pub struct Sync {
    pub(crate) db: Db,
    pub(crate) rooms: Rooms,
    pub(crate) account_data: AccountData,
    pub(crate) receipts: Receipts,
    pub(crate) typing: Typing,
    pub(crate) presence: Presence,
    pub(crate) counts: Counts,
    pub(crate) push_rules: Rules,
    pub(crate) keys: Keys,
    pub(crate) mailbox: Mailbox,
    pub(crate) index: Arc<ChangeIndex>,
    pub(crate) online: Arc<Online>,
    pub(crate) told: Told,
    readers: Cache<OwnedUserId, (Positions, Arc<Reader>)>,
    epoch: String,
}

/// Feeds the index and wakes waiters.
#[derive(Debug)]
struct Feed {
    index: Arc<ChangeIndex>,
    online: Arc<Online>,
}

impl Observer for Feed {
    fn record(&self, changes: &[Announcement]) {
        self.index.record(changes);
    }

    fn wake(&self, changes: &[Announcement]) {
        self.online.wake(changes);
    }
}

impl Sync {
    /// Sync over these domains; `epoch` is that of the database. Observes the database from now on.
    pub fn new(sources: Sources, epoch: &str) -> Self {
        let db = sources.rooms.db().clone();
        let index = Arc::new(ChangeIndex::new(db.writer(), &db.positions()));
        let online = Arc::<Online>::default();
        db.observe(Arc::new(Feed { index: index.clone(), online: online.clone() }));
        let Sources { rooms, account_data, receipts, typing, presence, counts, push_rules, keys, mailbox } = sources;
        let epoch = epoch.into();
        Self {
            db,
            rooms,
            account_data,
            receipts,
            typing,
            presence,
            counts,
            push_rules,
            keys,
            mailbox,
            index,
            online,
            told: Told::default(),
            readers: Cache::new(READERS),
            epoch,
        }
    }

    /// Waits for news after the request's token and answers with the JSON body.
    ///
    /// # Errors
    /// [`SyncError::BadToken`].
    pub async fn sync(&self, request: &Request) -> Result<Vec<u8>> {
        let token = self.parse(request.since.as_deref())?;
        to_device::acknowledge(self, request, token.as_ref()).await?;
        // Those who share a room are told of the user's presence, so the rooms have to be known first.
        self.watcher(&request.user).await?;
        let _poll = self.presence.poll(&request.user, request.device.as_deref(), request.presence).await?;
        let deadline = Instant::now() + request.timeout.min(MAX_WAIT);
        loop {
            let watcher = self.watcher(&request.user).await?;
            let changed = watcher.changed();
            let view = self.db.view();
            let mut response = self.respond(&view, request, token.as_ref(), &watcher).await?;
            let at_once = token.is_none() || request.full_state;
            if at_once || !response.is_empty() || Instant::now() >= deadline {
                keys::count(self, &view, request, &mut response).await?;
                let (epoch, positions) = (self.epoch.clone(), view.positions().clone());
                let mailed = (!response.to_device.is_empty()).then(|| positions.clone());
                let next = SyncToken { epoch, positions, mail: response.to_device_upto.take().or(mailed) };
                return Ok(response.write(&next.to_string()));
            }
            // A time-out leads to one more look, which then answers whatever it finds.
            let _ = tokio::time::timeout_at(deadline, changed).await;
        }
    }

    /// Wakes those who share a room with users whose rooms are not in memory, such as those of other servers, for as long
    /// as the server runs. Without it they see at the end of their wait what they could have seen at once.
    pub async fn wake_late(self: Arc<Self>) {
        loop {
            for user in self.online.strangers().await {
                match self.rooms.joined_rooms(&self.db.view(), &user).await {
                    Ok(rooms) => self.online.wake_in(&rooms, &user),
                    Err(error) => tracing::warn!(%user, %error, "those who share a room with a user were not woken"),
                }
            }
        }
    }

    /// The token of everything up to `positions`.
    pub fn token(&self, positions: &Positions) -> String {
        SyncToken { epoch: self.epoch.clone(), positions: positions.clone(), mail: None }.to_string()
    }

    /// The positions of a token; `None` when everything has to be sent anew.
    ///
    /// # Errors
    /// [`SyncError::BadToken`].
    pub fn since(&self, token: Option<&str>) -> Result<Option<Positions>> {
        Ok(self.parse(token)?.map(|token| token.positions))
    }

    /// Whose devices changed between two tokens, and with whom no room is shared any more. Client-server API,
    /// `GET /keys/changes`.
    ///
    /// # Errors
    /// [`SyncError::BadToken`].
    pub async fn key_changes(&self, user: &UserId, from: &str, to: &str) -> Result<(Vec<String>, Vec<String>)> {
        let (Some(from), Some(to)) = (self.since(Some(from))?, self.since(Some(to))?) else {
            return Err(SyncError::BadToken);
        };
        let watcher = self.watcher(user).await?;
        let span = Span { since: Some(&from), upto: &to };
        let lists = keys::lists(self, &self.db.view(), user, watcher.rooms(), &HashSet::new(), span).await?;
        Ok((lists.changed, lists.left))
    }

    /// A token; `None` when everything has to be sent anew.
    fn parse(&self, token: Option<&str>) -> Result<Option<SyncToken>> {
        let Some(token) = token else { return Ok(None) };
        let token = SyncToken::parse(token).ok_or(SyncError::BadToken)?;
        Ok((token.epoch == self.epoch).then_some(token))
    }

    /// The user's rooms, from memory while nothing changed about them.
    async fn watcher(&self, user: &UserId) -> Result<Arc<Watcher>> {
        if let Some(watcher) = self.online.find(user) {
            return Ok(watcher);
        }
        let expected = self.online.expect(user);
        let rooms = self.rooms.user_rooms(&self.db.view(), user).await?;
        let joined: HashSet<_> = rooms
            .into_iter()
            .filter(|(_, row)| row.value.membership == Membership::Join)
            .map(|(room, _)| room)
            .collect();
        Ok(self.online.settle(user, expected, joined))
    }

    /// Boxed, so that the compiler checks here that it may move between threads.
    fn respond<'a>(
        &'a self,
        view: &'a View,
        request: &'a Request,
        token: Option<&'a SyncToken>,
        watcher: &'a Watcher,
    ) -> BoxFuture<'a, Result<Response>> {
        async move {
            let since = token.map(|token| &token.positions);
            let span = Span { since, upto: view.positions() };
            let mut response = Response::default();
            if let Some(since) = since
                && !token.is_some_and(SyncToken::is_behind)
                && !request.full_state
                && self.index.is_quiet(&request.user, watcher.rooms(), since, span.upto) == Some(true)
            {
                return Ok(response);
            }
            let context = Context::new(self, view, request, span).await?;
            context.rooms(watcher.rooms(), &mut response).await?;
            context.account_data(&mut response);
            let (newcomers, unmoved) = context.finish();
            response.presence = presence::read(self, view, request, span, &newcomers).await?;
            to_device::read(self, view, request, token, &mut response).await?;
            let lists = keys::lists(self, view, &request.user, watcher.rooms(), &unmoved, span).await?;
            (response.devices_changed, response.devices_left) = (lists.changed, lists.left);
            Ok(response)
        }
        .boxed()
    }
}

impl Sync {
    /// Whether something may have changed for `user` alone in `span`.
    pub(crate) fn user_changed(&self, user: &UserId, span: Span<'_>) -> bool {
        span.since.is_none_or(|since| self.index.user(user, since, span.upto).unwrap_or(true))
    }

    /// By which rules `user` counts, and whom they ignore: from memory while nothing changed for them alone. Their own
    /// receipts are such a change too, after which the rules are read again, but parsed only if they differ.
    pub(crate) async fn reader(&self, view: &View, user: &UserId) -> Result<Arc<Reader>> {
        if let Some((since, reader)) = self.readers.get(user)
            && self.index.user(user, &since, view.positions()) == Some(false)
        {
            return Ok(reader);
        }
        let reader = Arc::new(self.push_rules.reader(view, user).await?);
        self.readers.insert(user.to_owned(), (view.positions().clone(), reader.clone()));
        Ok(reader)
    }

    /// Whether receipts that `user` may know of may have moved in a room in `span`.
    pub(crate) fn receipts_moved(&self, user: &UserId, room: RoomNum, span: Span<'_>) -> bool {
        let public = span.since.is_none_or(|since| self.index.receipts(room, since, span.upto).unwrap_or(true));
        public || self.user_changed(user, span)
    }
}
