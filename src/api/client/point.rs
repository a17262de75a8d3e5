use room::{Direction, Rooms, TimelineToken};
use ruma::{RoomId, UInt, api};

use crate::MatrixError;

/// Most events of one page.
const MAX_PAGE: usize = 1000;

/// How many events a page may have.
pub fn page_size(limit: Option<UInt>, default: usize) -> usize {
    limit.map_or(default, |limit| usize::try_from(u64::from(limit)).unwrap_or(MAX_PAGE)).min(MAX_PAGE)
}

/// The direction of a request in our terms.
pub fn direction(direction: api::Direction) -> Direction {
    match direction {
        api::Direction::Forward => Direction::Forward,
        api::Direction::Backward => Direction::Backward,
    }
}

/// The point of a room's timeline that a token stands for: one of a page of a timeline, or one of a sync.
///
/// # Errors
/// 400 `M_INVALID_PARAM` for other text.
pub async fn point(rooms: &Rooms, room: &RoomId, token: Option<&str>) -> Result<Option<TimelineToken>, MatrixError> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
    if let Some(point) = TimelineToken::parse(token) {
        return Ok(Some(point));
    }
    let since = sync::SyncToken::parse(token).ok_or_else(|| MatrixError::invalid_param("this is no token of ours"))?;
    let view = rooms.db().view();
    let room = rooms.num(&view, room).await?;
    let place = rooms.place_at(&view, room, &since.positions).await?;
    Ok(Some(place.map_or(TimelineToken::START, TimelineToken::after)))
}
