use account::AccountData;
use event::ClientFormat;
use room::{Direction, RelationsQuery, Rooms};
use ruma::{DeviceId, EventId, RoomId, UInt, UserId, api};

use crate::{
    MatrixError, RawReply,
    client::{
        point::{direction, page_size, point},
        reader::Reader,
        written::Written,
    },
};

/// What the endpoints of this module have in common.
#[derive(Debug)]
pub struct Asked<'a> {
    pub room_id: &'a RoomId,
    pub event_id: &'a EventId,
    pub rel_type: Option<String>,
    pub kind: Option<String>,
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    pub dir: api::Direction,
    pub limit: Option<UInt>,
    pub recurse: bool,
}

/// A request of this module, whose types have the same fields.
macro_rules! asked {
    ($req:ident, $rel_type:expr, $kind:expr) => {
        $crate::client::relations::page::Asked {
            room_id: &$req.room_id,
            event_id: &$req.event_id,
            rel_type: $rel_type,
            kind: $kind,
            from: $req.from.as_deref(),
            to: $req.to.as_deref(),
            dir: $req.dir,
            limit: $req.limit,
            recurse: $req.recurse,
        }
    };
}
pub(super) use asked;

/// The answer to all of them.
pub async fn page(
    rooms: &Rooms,
    data: &AccountData,
    (user, device): (&UserId, Option<&DeviceId>),
    asked: Asked<'_>,
) -> Result<RawReply, MatrixError> {
    let reader = Reader::new(data, rooms, user, device).await?;
    let (view, viewer) = (rooms.db().view(), reader.viewer());
    let (room, (parent, _)) = rooms.visible_event(&view, &viewer, asked.room_id, asked.event_id).await?;
    let query = RelationsQuery {
        parent,
        rel_type: asked.rel_type.as_deref(),
        kind: asked.kind.as_deref(),
        from: point(rooms, asked.room_id, asked.from).await?,
        to: point(rooms, asked.room_id, asked.to).await?,
        direction: direction(asked.dir),
        limit: page_size(asked.limit, 5).max(1),
        recurse: asked.recurse,
    };
    let page = rooms.relations(&view, room, &viewer, &query).await?;
    let chunk = rooms.present(&view, room, &viewer, &page.rows, ClientFormat::Full, true).await?;
    let here = query.from.filter(|_| query.direction == Direction::Backward || !page.rows.is_empty());
    let written = Written::default()
        .events("chunk", &chunk)
        .value("next_batch", page.next.map(|next| next.to_string()))
        .value("prev_batch", here.map(|here| here.to_string()))
        .value("recursion_depth", page.depth);
    Ok(written.into())
}
