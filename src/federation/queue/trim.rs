//! Durable messages for a destination that does not answer are kept few.

use std::collections::HashSet;

use kv::{Read, Stamp};
use serde::Deserialize;

use super::{Queue, QueueError, destination::Destination, tables::EDUS};

/// For how long a destination may fail and still have all of [`LONG`] kept for it, in milliseconds: a week.
const SHORT_TIME: u64 = 7 * 24 * 60 * 60 * 1000;
/// What is kept of messages to devices.
const LONG: Kept = Kept { messages: 5000, bytes: 64 << 20 };
/// What is kept for a destination that has failed for longer than [`SHORT_TIME`].
const SHORT: Kept = Kept { messages: 100, bytes: 256 << 10 };
/// Rows removed in one transaction.
const BATCH: usize = 500;

/// A bound of messages to devices for one destination.
#[derive(Debug, Clone, Copy)]
struct Kept {
    messages: usize,
    bytes: usize,
}

#[derive(Deserialize)]
struct Edu<'a> {
    #[serde(borrow)]
    edu_type: std::borrow::Cow<'a, str>,
    content: Content,
}

#[derive(Default, Deserialize)]
struct Content {
    #[serde(default)]
    user_id: Option<String>,
}

impl Queue {
    /// Removes durable messages that are not worth keeping for a destination that fails: of what is told of a user's
    /// devices and keys all but the newest, whose gap makes the other side ask for all; the oldest messages to devices
    /// beyond a bound.
    ///
    /// # Errors
    /// When storage fails.
    pub(super) async fn trim(&self, destination: &Destination) -> Result<(), QueueError> {
        let since = {
            let mut state = destination.state.lock();
            if !std::mem::take(&mut state.untrimmed) {
                return Ok(());
            }
            state.failing.map(|failing| failing.since)
        };
        let Some(since) = since else { return Ok(()) };
        let kept = if self.clock.now() > since.saturating_add(SHORT_TIME) { SHORT } else { LONG };
        let gone = self.too_many(destination, kept).await?;
        for part in gone.chunks(BATCH) {
            kv::retry(|| async {
                let mut tx = self.db.begin().relaxed();
                part.iter().for_each(|stamp| tx.delete(&EDUS, (&destination.name, *stamp)));
                tx.commit().await
            })
            .await?;
        }
        Ok(())
    }

    async fn too_many(&self, destination: &Destination, kept: Kept) -> Result<Vec<Stamp>, QueueError> {
        let tx = self.db.begin();
        let mut rows = tx.scan_back(&EDUS, EDUS.under(&(&destination.name,)));
        let (mut told, mut gone) = (HashSet::new(), Vec::new());
        let (mut messages, mut bytes, mut lost) = (0, 0, 0_u64);
        while let Some(((_, stamp), text)) = rows.next().await? {
            let newest = match about(&text) {
                Some(about) => told.insert(about),
                None => {
                    (messages, bytes) = (messages + 1, bytes + text.len());
                    let fits = messages <= kept.messages && bytes <= kept.bytes;
                    lost += u64::from(!fits);
                    fits
                }
            };
            if !newest {
                gone.push(stamp);
            }
        }
        if lost > 0 {
            metrics::counter!("hearth_federation_given_up_total").increment(lost);
            tracing::warn!(destination = %destination.name, lost, "gave up on messages to devices of a server that is down");
        }
        Ok(gone)
    }
}

/// The user whose devices or keys a message tells of, with its type; `None` for a message that stands for itself.
fn about(text: &str) -> Option<(String, String)> {
    let edu: Edu<'_> = serde_json::from_str(text).ok()?;
    let tells = matches!(&*edu.edu_type, "m.device_list_update" | "m.signing_key_update");
    edu.content.user_id.filter(|_| tells).map(|user| (edu.edu_type.into_owned(), user))
}
