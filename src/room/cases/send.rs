//! Handlers run on any thread, so what they await must be `Send`.

use std::collections::HashSet;

use event::ClientFormat;

use super::rig::{Rig, user};
use crate::{Direction, EventFilter, HistoryQuery, Include, RelationsQuery, TimelineToken, Viewer};

fn on_any_thread<T>(future: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send {
    future
}

#[tokio::test]
async fn reading_can_move_between_threads() {
    let rig = Rig::new().await;
    let (rooms, user) = (&rig.rooms, user("alice"));
    let viewer = Viewer { user: &user, device: None, now: 0, ignored: &HashSet::new() };
    let view = rooms.db().view();
    let access = on_any_thread(rooms.access(&view, &user, &rig.id)).await.unwrap();
    let filter = EventFilter::default();
    let query = HistoryQuery { from: None, to: None, direction: Direction::Backward, limit: 10, filter: &filter };
    let page = on_any_thread(rooms.history(&view, &access, &viewer, &query)).await.unwrap();
    on_any_thread(rooms.present(&view, rig.num, &viewer, &page.rows, ClientFormat::Full, true)).await.unwrap();
    let (num, row) = page.rows.first().cloned().unwrap();
    on_any_thread(rooms.member_rows(&view, &access, Some(TimelineToken::END), None, None)).await.unwrap();
    on_any_thread(rooms.senders_of(&view, rig.num, &page.rows)).await.unwrap();
    on_any_thread(rooms.threads(&view, rig.num, &viewer, Include::All, None, 1)).await.unwrap();
    let query = RelationsQuery {
        parent: num,
        rel_type: None,
        kind: None,
        from: None,
        to: None,
        direction: Direction::Backward,
        limit: 1,
        recurse: true,
    };
    on_any_thread(rooms.relations(&view, rig.num, &viewer, &query)).await.unwrap();
    on_any_thread(rooms.context(&view, &access, &viewer, (num, row), 10, &filter)).await.unwrap();
}
