//! Events as clients get them: stored bytes, with `unsigned` written around.

use std::{
    collections::{HashMap, HashSet},
    io::Write as _,
};

use event::ClientFormat;
use kv::Read;
use ruma::UserId;

use crate::{
    EventRow, Membership, Result, Rooms, Viewer,
    num::{EventNum, RoomNum},
    relations::Bundles,
    visibility::membership_in,
};

/// Bytes of an event's client form besides its content, as most have them.
const AROUND: usize = 448;

impl Rooms {
    /// The client JSON of each row, in order. `bundle` adds aggregated relations.
    ///
    /// # Errors
    /// When storage fails. Client-server API, "Room event format" and "Aggregations of child events".
    pub async fn present(
        &self,
        read: &impl Read,
        room: RoomNum,
        viewer: &Viewer<'_>,
        rows: &[(EventNum, EventRow)],
        format: ClientFormat,
        bundle: bool,
    ) -> Result<Vec<Vec<u8>>> {
        let linked = self.linked(read, room, rows).await?;
        let bundles = if bundle { self.bundles(read, room, viewer, rows).await? } else { Bundles::default() };
        let mut members = self.track_member(read, room, viewer.user).await?;
        let mut all = Vec::with_capacity(rows.len());
        for (num, row) in rows {
            let mut member = members.at(self, read, room, row.meta.before).await?;
            if row.event.kind() == "m.room.member" && row.event.state_key() == Some(viewer.user.as_str()) {
                member = membership_in(row.event.content()).unwrap_or(member);
            }
            let mut unsigned = Unsigned::of(viewer, row);
            unsigned.membership(member);
            if let Some(replaced) = row.meta.replaces.and_then(|num| linked.get(&num)) {
                unsigned.replaced(replaced);
            }
            if let Some(redaction) = row.meta.redacted_by.and_then(|num| linked.get(&num)) {
                unsigned.redacted_because(viewer, redaction, format);
            }
            bundles.write(viewer, *num, row, &mut unsigned, format);
            all.push(unsigned.around(row, format));
        }
        Ok(all)
    }

    /// One event as application services get it: with everything in `unsigned` that is the same for all readers.
    ///
    /// # Errors
    /// When storage fails. Application Service API, "Pushing events".
    pub async fn present_whole(
        &self,
        read: &impl Read,
        room: RoomNum,
        num: EventNum,
        row: &EventRow,
    ) -> Result<Vec<u8>> {
        let rows = [(num, row.clone())];
        let linked = self.linked(read, room, &rows).await?;
        let info = self.info(read, room).await?;
        // Nobody in particular: no device, nobody ignored.
        let viewer = Viewer { user: &info.creator, device: None, now: self.clock.now(), ignored: &HashSet::new() };
        let mut unsigned = Unsigned::of(&viewer, row);
        if let Some(replaced) = row.meta.replaces.and_then(|num| linked.get(&num)) {
            unsigned.replaced(replaced);
        }
        if let Some(redaction) = row.meta.redacted_by.and_then(|num| linked.get(&num)) {
            unsigned.redacted_because(&viewer, redaction, ClientFormat::Full);
        }
        let user = row.event.state_key().and_then(|key| <&UserId>::try_from(key).ok());
        if let Some(user) = user.filter(|_| row.meta.place.is_none()) {
            let state = self.outside_state(read, room, user).await?.unwrap_or_default();
            let key = match membership_in(row.event.content()) {
                Some(Membership::Knock) => "knock_room_state",
                _ => "invite_room_state",
            };
            let out = unsigned.key(key);
            out.push(b'[');
            out.extend_from_slice(state.join(",").as_bytes());
            out.push(b']');
        }
        Ok(unsigned.around(row, ClientFormat::Full))
    }

    /// Appends a JSON array of the rows with `unsigned` as far as each row alone says it: for lists of state.
    pub fn write_plain(
        &self,
        viewer: &Viewer<'_>,
        rows: &[(EventNum, EventRow)],
        format: ClientFormat,
        out: &mut Vec<u8>,
    ) {
        out.reserve(rows.iter().map(|(_, row)| row.event.content().len() + AROUND).sum::<usize>() + 2);
        let mut unsigned = Unsigned(Vec::with_capacity(192));
        out.push(b'[');
        for (n, (_, row)) in rows.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            unsigned.begin(viewer, row);
            unsigned.0.push(b'}');
            row.event.write_client(out, format, &unsigned.0);
        }
        out.push(b']');
    }

    /// The events that these replaced and those that redacted them, in one read.
    async fn linked(
        &self,
        read: &impl Read,
        room: RoomNum,
        rows: &[(EventNum, EventRow)],
    ) -> Result<HashMap<EventNum, EventRow>> {
        let nums: Vec<_> =
            rows.iter().flat_map(|(_, row)| [row.meta.replaces, row.meta.redacted_by]).flatten().collect();
        if nums.is_empty() {
            return Ok(HashMap::new());
        }
        Ok(self.rows(read, room, nums).await?.into_iter().collect())
    }
}

/// The `unsigned` of one event while it is written.
pub(crate) struct Unsigned(Vec<u8>);

impl Unsigned {
    /// `age`, and the transaction id if the viewer's device sent the event.
    pub(crate) fn of(viewer: &Viewer<'_>, row: &EventRow) -> Self {
        let mut unsigned = Self(Vec::with_capacity(192));
        unsigned.begin(viewer, row);
        unsigned
    }

    /// The same, in place of what was written before.
    fn begin(&mut self, viewer: &Viewer<'_>, row: &EventRow) {
        self.0.clear();
        self.0.push(b'{');
        let age = i128::from(viewer.now) - i128::from(row.event.origin_server_ts());
        // Writing to memory does not fail.
        let _ = write!(self.0, "\"age\":{age}");
        if let Some(transaction) = &row.meta.transaction
            && Some(&*transaction.device) == viewer.device
            && row.event.sender() == viewer.user
        {
            self.text("transaction_id", transaction.id.as_str());
        }
    }

    /// A key, after which the value is appended.
    pub(crate) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
        &mut self.0
    }

    fn text(&mut self, key: &str, value: &str) {
        let out = self.key(key);
        let _ = serde_json::to_writer(out, value);
    }

    fn membership(&mut self, membership: Membership) {
        self.text("membership", membership.as_str());
    }

    fn replaced(&mut self, old: &EventRow) {
        self.key("prev_content").extend_from_slice(old.event.content().as_bytes());
        self.text("prev_sender", old.event.sender());
        self.text("replaces_state", old.event.event_id());
    }

    fn redacted_because(&mut self, viewer: &Viewer<'_>, redaction: &EventRow, format: ClientFormat) {
        let json = Self::of(viewer, redaction).around(redaction, format);
        self.key("redacted_because").extend_from_slice(&json);
    }

    /// The event with this `unsigned`.
    pub(crate) fn around(mut self, row: &EventRow, format: ClientFormat) -> Vec<u8> {
        self.0.push(b'}');
        let mut out = Vec::new();
        row.event.write_client(&mut out, format, &self.0);
        out
    }
}
