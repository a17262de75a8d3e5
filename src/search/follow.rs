//! Follows the stream of all rooms and keeps the index up to date.

use std::{sync::Arc, time::Duration};

use kv::{Announcement, Observer, Read, Stamp, Topic, Tx, View, WriterId};
use room::{
    EventNum, EventRef, EventRow, RoomNum,
    tables::{EDITS, EVENTS, STREAM},
};
use ruma::EventId;
use serde_json::Value;
use tokio::sync::Notify;

use crate::{
    Result, Search,
    tables::{EDITED, Field, Posting, TEXTS, Text, WALKED, WORDS, Walked},
    words::counted,
};

/// Events indexed in one transaction.
const BATCH: usize = 256;
/// How often to look without being woken.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(2);

/// Wakes the follower.
struct Woken(Arc<Notify>);

impl Observer for Woken {
    fn record(&self, _: &[Announcement]) {}

    fn wake(&self, changes: &[Announcement]) {
        if changes.iter().any(|change| matches!(change.topic, Topic::Room(_))) {
            self.0.notify_one();
        }
    }
}

impl Search {
    /// Indexes what was said since the last process ended and all that comes.
    pub async fn run(self) {
        if !self.config.enabled {
            return;
        }
        self.db.observe(Arc::new(Woken(self.news.clone())));
        loop {
            let wait = match self.catch_up().await {
                Ok(()) => LOOK_AGAIN,
                Err(error) => {
                    tracing::warn!(%error, "messages were not indexed and will be tried again");
                    PAUSE
                }
            };
            let _ = tokio::time::timeout(wait, self.news.notified()).await;
        }
    }

    /// Indexes everything that is not yet.
    ///
    /// # Errors
    /// When storage fails; the next time goes on where this one stopped.
    pub async fn catch_up(&self) -> Result<()> {
        while self.step().await? {}
        Ok(())
    }

    /// Indexes the next events; answers whether there may be more.
    async fn step(&self) -> Result<bool> {
        let view = self.db.view();
        let walked = view.get(&WALKED, ()).await?.unwrap_or_default();
        for (writer, upto) in view.positions().clone().iter() {
            let from = walked.upto.of(writer);
            if from < upto {
                return self.step_of(&view, walked, (writer, from, upto)).await;
            }
        }
        self.done.send_replace(walked.upto);
        Ok(false)
    }

    async fn step_of(
        &self,
        view: &View,
        mut walked: Walked,
        (writer, from, upto): (WriterId, u64, u64),
    ) -> Result<bool> {
        let stamp = |n| Stamp { writer, n };
        let events = view.scan(&STREAM, STREAM.between(&stamp(from + 1), &stamp(upto + 1))).first(BATCH).await?;
        let last = events.last().filter(|_| events.len() == BATCH).map_or(upto, |(last, _)| last.n);
        walked.upto.advance(writer, last);
        let rows = view.get_many(&EVENTS, events.iter().map(|(_, at)| (at.room, at.num))).await?;
        kv::retry(|| async {
            // Lost with the power, it is done again.
            let mut tx = self.db.begin().relaxed();
            for ((_, at), row) in events.iter().zip(&rows) {
                // Without a row the room is gone.
                if let Some(row) = row {
                    self.index(&mut tx, *at, row).await?;
                }
            }
            tx.put(&WALKED, (), &walked);
            Ok::<_, crate::SearchError>(tx.commit().await?)
        })
        .await?;
        Ok(true)
    }

    async fn index(&self, tx: &mut Tx, at: EventRef, row: &EventRow) -> Result<()> {
        match row.event.kind() {
            "m.room.redaction" => self.index_redaction(tx, at, row).await,
            "m.room.message" => self.index_said(tx, at, row).await,
            "m.room.name" => index_state(tx, at, row, (Field::Name, "name")).await,
            "m.room.topic" => index_state(tx, at, row, (Field::Topic, "topic")).await,
            _ => Ok(()),
        }
    }

    /// A message, or a new text of one: that is found as the message that it replaces, as it is shown.
    async fn index_said(&self, tx: &mut Tx, at: EventRef, row: &EventRow) -> Result<()> {
        let content = content(row);
        if content.pointer("/m.relates_to/rel_type").and_then(Value::as_str) != Some("m.replace") {
            return index_message(tx, at.room, at.num).await;
        }
        let original = content.pointer("/m.relates_to/event_id").and_then(Value::as_str);
        match self.located(tx, at.room, original).await? {
            Some(original) => {
                tx.put(&EDITED, (at.room, at.num), &original);
                index_message(tx, at.room, original).await
            }
            None => Ok(()),
        }
    }

    /// Removes the words of what an event redacts; a message whose new text that was has its old one again.
    async fn index_redaction(&self, tx: &mut Tx, at: EventRef, row: &EventRow) -> Result<()> {
        let content = content(row);
        let target = row.event.redacts().or_else(|| content.get("redacts").and_then(Value::as_str));
        let Some(target) = self.located(tx, at.room, target).await? else { return Ok(()) };
        let redacted = tx.peek(&EVENTS, (at.room, target)).await?.is_some_and(|row| row.meta.redacted_by.is_some());
        if !redacted {
            return Ok(());
        }
        remove(tx, (at.room, target)).await?;
        if let Some(original) = tx.peek(&EDITED, (at.room, target)).await? {
            tx.delete(&EDITED, (at.room, target));
            index_message(tx, at.room, original).await?;
        }
        Ok(())
    }

    /// The event of this room with the id `id`.
    async fn located(&self, tx: &Tx, room: RoomNum, id: Option<&str>) -> Result<Option<EventNum>> {
        let Some(id) = id.and_then(|id| <&EventId>::try_from(id).ok()) else { return Ok(None) };
        Ok(self.rooms.locate(tx, id).await?.filter(|at| at.room == room).map(|at| at.num))
    }
}

fn content(row: &EventRow) -> Value {
    serde_json::from_str(row.event.content()).unwrap_or_default()
}

/// Indexes a message by its newest text.
async fn index_message(tx: &mut Tx, room: RoomNum, num: EventNum) -> Result<()> {
    let Some(row) = tx.peek(&EVENTS, (room, num)).await? else { return Ok(()) };
    if row.event.kind() != "m.room.message" || row.event.state_key().is_some() || row.meta.redacted_by.is_some() {
        return Ok(());
    }
    let edit = match tx.peek(&EDITS, (room, num)).await? {
        Some(edit) => tx.peek(&EVENTS, (room, edit)).await?.map(|edit| content(&edit)),
        None => None,
    };
    let own = content(&row);
    let text = edit.as_ref().and_then(|edit| edit.pointer("/m.new_content/body")).or_else(|| own.get("body"));
    put(tx, (room, num), Field::Body, text, row.event.origin_server_ts()).await
}

async fn index_state(tx: &mut Tx, at: EventRef, row: &EventRow, (field, key): (Field, &str)) -> Result<()> {
    if row.event.state_key() != Some("") || row.meta.redacted_by.is_some() {
        return Ok(());
    }
    put(tx, (at.room, at.num), field, content(row).get(key), row.event.origin_server_ts()).await
}

/// Puts a text in place of what was indexed of an event.
async fn put(
    tx: &mut Tx,
    (room, num): (RoomNum, EventNum),
    field: Field,
    text: Option<&Value>,
    sent: u64,
) -> Result<()> {
    remove(tx, (room, num)).await?;
    let (words, length) = counted(text.and_then(Value::as_str).unwrap_or_default());
    if words.is_empty() {
        return Ok(());
    }
    for (word, times) in &words {
        tx.put(&WORDS, (room, field.code(), word.as_str(), num), &Posting { sent, times: *times, length });
    }
    tx.put(&TEXTS, (room, num), &Text { field, words: words.into_keys().collect() });
    Ok(())
}

async fn remove(tx: &mut Tx, (room, num): (RoomNum, EventNum)) -> Result<()> {
    let Some(text) = tx.peek(&TEXTS, (room, num)).await? else { return Ok(()) };
    for word in &text.words {
        tx.delete(&WORDS, (room, text.field.code(), word.as_str(), num));
    }
    tx.delete(&TEXTS, (room, num));
    Ok(())
}
