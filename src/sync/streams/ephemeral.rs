//! Typing and receipts of a room.

use std::collections::{BTreeMap, HashSet};

use ephemeral::{Receipt, ReceiptKind, Receipts, Thread, Typing};
use kv::Read;
use room::RoomNum;
use ruma::{OwnedUserId, UserId};
use serde_json::{Map, Value, json};

use crate::{Result, span::Span};

/// The `m.typing` event of a room, if it changed in `span`; without a token only if somebody types.
pub fn typing(typing: &Typing, room: RoomNum, span: Span<'_>, ignored: &HashSet<OwnedUserId>) -> Option<Vec<u8>> {
    let mut users = typing.news(room, |stamp| span.contains(stamp))?;
    users.retain(|user| !ignored.contains(user));
    if users.is_empty() && span.since.is_none() {
        return None;
    }
    Some(json!({ "type": "m.typing", "content": { "user_ids": users } }).to_string().into_bytes())
}

/// The `m.receipt` event with what changed in `span`: everybody's public receipts and the user's own.
pub async fn receipts(
    receipts: &Receipts,
    read: &impl Read,
    room: RoomNum,
    span: Span<'_>,
    user: &UserId,
    ignored: &HashSet<OwnedUserId>,
) -> Result<Option<Vec<u8>>> {
    let mut changed = Vec::new();
    if span.since.is_none() {
        changed = receipts.all(read, room).await?;
    } else {
        for (from, to) in span.stamps() {
            changed.extend(receipts.between(read, room, from, to).await?);
        }
    }
    changed.retain(|r| (r.kind == ReceiptKind::Public || r.user == user) && !ignored.contains(&r.user));
    Ok((!changed.is_empty()).then(|| event(&changed)))
}

fn event(receipts: &[Receipt]) -> Vec<u8> {
    let mut by_event: BTreeMap<&str, BTreeMap<&str, Map<String, Value>>> = BTreeMap::new();
    // A user's threaded and unthreaded receipts may name one event: the unthreaded one is then the one to show, and
    // the last here wins. MSC4102.
    let mut sorted: Vec<_> = receipts.iter().collect();
    sorted.sort_by_key(|receipt| receipt.thread == Thread::Unthreaded);
    for receipt in sorted {
        let mut data = Map::from_iter([("ts".to_owned(), json!(receipt.row.at))]);
        if receipt.thread != Thread::Unthreaded {
            data.insert("thread_id".to_owned(), json!(receipt.thread.as_str()));
        }
        let kinds = by_event.entry(receipt.row.event.as_str()).or_default();
        kinds.entry(receipt.kind.as_str()).or_default().insert(receipt.user.to_string(), Value::Object(data));
    }
    json!({ "type": "m.receipt", "content": by_event }).to_string().into_bytes()
}
