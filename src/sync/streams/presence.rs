//! The presence of those who share a room with the user.

use std::collections::HashSet;

use ephemeral::Status;
use kv::View;
use ruma::{OwnedUserId, UserId};
use serde_json::{Map, json};

use crate::{Request, Result, Sync, span::Span};

/// `m.presence` events of everybody whose presence changed in `span` and who shares a room with the user, and of
/// `newcomers`.
pub async fn read(
    sync: &Sync,
    view: &View,
    request: &Request,
    span: Span<'_>,
    newcomers: &HashSet<OwnedUserId>,
) -> Result<Vec<Vec<u8>>> {
    if !request.wants.presence.admits_type("m.presence") {
        return Ok(Vec::new());
    }
    let mut candidates: HashSet<_> = match span.since {
        None => sync.presence.present().into_iter().collect(),
        Some(since) => sync.index.presence(since).into_iter().collect(),
    };
    candidates.extend(newcomers.iter().cloned());
    let mut events = Vec::new();
    for user in candidates.into_iter().filter(|user| request.wants.presence.admits_sender(user.as_str())) {
        let news = sync
            .presence
            .news(&user, |stamp| span.since.is_none() || newcomers.contains(&user) || span.contains(stamp));
        if let Some(status) = news
            && sees(sync, view, &request.user, &user).await?
        {
            events.push(event(&user, &status));
        }
    }
    Ok(events)
}

/// Whether `user` may see the presence of `other`: their own, and that of those they share a room with.
async fn sees(sync: &Sync, view: &View, user: &UserId, other: &OwnedUserId) -> Result<bool> {
    if user == other {
        return Ok(true);
    }
    match sync.online.share_a_room(user, other) {
        Some(shared) => Ok(shared),
        None => Ok(sync.rooms.share_a_room(view, user, other).await?),
    }
}

fn event(user: &UserId, status: &Status) -> Vec<u8> {
    let mut content = Map::from_iter([
        ("presence".to_owned(), json!(status.state.as_str())),
        ("currently_active".to_owned(), json!(status.currently_active)),
    ]);
    if let Some(ago) = status.active_ago {
        content.insert("last_active_ago".to_owned(), json!(ago));
    }
    if let Some(message) = &status.status {
        content.insert("status_msg".to_owned(), json!(message));
    }
    json!({ "type": "m.presence", "sender": user, "content": content }).to_string().into_bytes()
}
