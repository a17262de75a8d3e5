//! Many sessions as one JSON document, written while they are read.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use e2ee::Pages;
use futures::stream;
use http::{HeaderValue, header};

use super::body::Shown;

/// What is left to be written.
struct Writing {
    pages: Pages,
    /// Whether sessions stand below their rooms.
    by_room: bool,
    begun: bool,
    /// The room whose sessions are being written.
    room: Option<String>,
}

/// The answer with all sessions of `pages`: below their rooms, or those of one room alone.
pub fn written(pages: Pages, by_room: bool) -> Response {
    let writing = Writing { pages, by_room, begun: false, room: None };
    let parts = stream::try_unfold(Some(writing), |writing| async move {
        let Some(mut writing) = writing else { return Ok(None) };
        let (part, is_last) = writing.part().await.inspect_err(|error| {
            tracing::error!(%error, "a key backup is not answered to its end");
        })?;
        Ok::<_, std::io::Error>(Some((Bytes::from(part), (!is_last).then_some(writing))))
    });
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], Body::from_stream(parts)).into_response()
}

impl Writing {
    /// The next part, and whether it is the last one.
    async fn part(&mut self) -> std::io::Result<(Vec<u8>, bool)> {
        let sessions = self.pages.next().await.map_err(std::io::Error::other)?;
        let is_last = sessions.is_empty();
        let mut part = Vec::new();
        if !self.begun {
            part.extend_from_slice(if self.by_room { br#"{"rooms":{"# } else { br#"{"sessions":{"# });
        }
        for (room, id, session) in sessions {
            let is_first = if self.by_room { self.enter(&room, &mut part)? } else { !self.begun };
            if !is_first {
                part.push(b',');
            }
            serde_json::to_writer(&mut part, &id)?;
            part.push(b':');
            part.extend(Shown::json(&session).map_err(|_| std::io::Error::other("a session does not encode"))?);
            self.begun = true;
        }
        self.begun = true;
        if is_last {
            part.extend_from_slice(if self.room.is_some() { b"}}}}" } else { b"}}" });
        }
        Ok((part, is_last))
    }

    /// Begins the sessions of `room`, unless that is done; whether it was begun.
    fn enter(&mut self, room: &str, part: &mut Vec<u8>) -> std::io::Result<bool> {
        match &self.room {
            Some(open) if open == room => return Ok(false),
            Some(_) => part.extend_from_slice(b"}},"),
            None => {}
        }
        serde_json::to_writer(&mut *part, room)?;
        part.extend_from_slice(br#":{"sessions":{"#);
        self.room = Some(room.to_owned());
        Ok(true)
    }
}
