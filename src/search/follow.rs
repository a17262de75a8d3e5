//! Follows the stream of all rooms and keeps the index up to date.

use std::{sync::Arc, time::Duration};

use kv::{Announcement, Observer, Read, Stamp, Topic, Tx, View, WriterId};
use room::{EventNum, EventRef, EventRow, RoomNum, tables::STREAM};
use serde_json::Value;
use tokio::sync::Notify;

use crate::{
    Result, Search,
    tables::{Field, Posting, TEXTS, Text, WALKED, WORDS, Walked},
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
        let mut rows = Vec::with_capacity(events.len());
        for (_, at) in events {
            rows.push((at, self.rooms.row(view, at.room, at.num).await?));
        }
        kv::retry(|| async {
            // Lost with the power, it is done again.
            let mut tx = self.db.begin().relaxed();
            for (at, row) in &rows {
                self.index(&mut tx, *at, row).await?;
            }
            tx.put(&WALKED, (), &walked);
            Ok::<_, crate::SearchError>(tx.commit().await?)
        })
        .await?;
        Ok(true)
    }

    async fn index(&self, tx: &mut Tx, at: EventRef, row: &EventRow) -> Result<()> {
        if row.event.kind() == "m.room.redaction" {
            return self.unindex_redacted(tx, at, row).await;
        }
        let Some((field, key)) = Field::of(row.event.kind()) else { return Ok(()) };
        let stands =
            if field == Field::Body { row.event.state_key().is_none() } else { row.event.state_key() == Some("") };
        if !stands || row.meta.redacted_by.is_some() {
            return Ok(());
        }
        let Ok(content) = serde_json::from_str::<Value>(row.event.content()) else { return Ok(()) };
        // A new text is found as the message that it replaces: that is what is shown.
        if let Some(new) = content.get("m.new_content") {
            let original = content.pointer("/m.relates_to/event_id").and_then(Value::as_str);
            let original = original.and_then(|id| <&ruma::EventId>::try_from(id).ok());
            if let (Some(text), Some(original)) = (new.get(key).and_then(Value::as_str), original) {
                return self.index_edit(tx, at.room, original, row.event.sender(), text).await;
            }
            return Ok(());
        }
        let Some(text) = content.get(key).and_then(Value::as_str) else { return Ok(()) };
        put(tx, (at.room, at.num), field, text, row.event.origin_server_ts()).await
    }

    async fn index_edit(
        &self,
        tx: &mut Tx,
        room: RoomNum,
        original: &ruma::EventId,
        sender: &str,
        text: &str,
    ) -> Result<()> {
        let Some(at) = self.rooms.locate(tx, original).await?.filter(|at| at.room == room) else { return Ok(()) };
        let row = self.rooms.row(tx, at.room, at.num).await?;
        if row.event.sender() != sender || row.meta.redacted_by.is_some() || row.event.kind() != "m.room.message" {
            return Ok(());
        }
        put(tx, (at.room, at.num), Field::Body, text, row.event.origin_server_ts()).await
    }

    /// Removes the words of what an event redacts.
    async fn unindex_redacted(&self, tx: &mut Tx, at: EventRef, row: &EventRow) -> Result<()> {
        let content: Value = serde_json::from_str(row.event.content()).unwrap_or_default();
        let target = row.event.redacts().map(str::to_owned);
        let target = target.or_else(|| content.get("redacts").and_then(Value::as_str).map(str::to_owned));
        let Some(target) = target.as_deref().and_then(|id| <&ruma::EventId>::try_from(id).ok()) else { return Ok(()) };
        let Some(found) = self.rooms.locate(tx, target).await?.filter(|found| found.room == at.room) else {
            return Ok(());
        };
        if self.rooms.row(tx, found.room, found.num).await?.meta.redacted_by.is_some() {
            remove(tx, (found.room, found.num)).await?;
        }
        Ok(())
    }
}

/// Puts a text in place of what was indexed of an event.
async fn put(tx: &mut Tx, (room, num): (RoomNum, EventNum), field: Field, text: &str, sent: u64) -> Result<()> {
    remove(tx, (room, num)).await?;
    let (words, length) = counted(text);
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
