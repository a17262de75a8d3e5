use base::Clock;
use kv::{Db, Stamp, Topic, memory::Memory};
use room::RoomNum;

use super::{Ears, START, user};
use crate::{Typing, TypingChange};

const ROOM: RoomNum = RoomNum(7);

struct Rig {
    typing: Typing,
    db: Db,
    clock: Clock,
    ears: std::sync::Arc<Ears>,
}

fn rig() -> Rig {
    let (db, clock) = (Db::new(Memory::new()), Clock::fixed(START));
    Rig { typing: Typing::new(db.clone(), clock.clone()), ears: Ears::on(&db), db, clock }
}

impl Rig {
    /// Who types, if that is news to somebody who synced at `since`.
    fn news(&self, since: u64) -> Option<Vec<String>> {
        let users = self.typing.news(ROOM, |at: Stamp| at.n > since)?;
        Some(users.iter().map(|user| user.localpart().to_owned()).collect())
    }

    fn now(&self) -> u64 {
        self.db.positions().of(self.db.writer())
    }
}

#[tokio::test]
async fn who_begins_and_stops_is_news_once() {
    let rig = rig();
    assert_eq!(rig.news(0), None);
    rig.typing.set(ROOM, &user("alice"), Some(10_000)).await.unwrap();
    rig.typing.set(ROOM, &user("bob"), Some(10_000)).await.unwrap();
    assert_eq!(rig.news(0), Some(vec!["alice".into(), "bob".into()]));
    let since = rig.now();
    assert_eq!(rig.news(since), None);
    rig.typing.set(ROOM, &user("alice"), None).await.unwrap();
    assert_eq!(rig.news(since), Some(vec!["bob".into()]));
    assert_eq!(rig.ears.heard(), [Topic::Room(7), Topic::Room(7), Topic::Room(7)]);
}

#[tokio::test]
async fn who_goes_on_typing_wakes_nobody_but_other_servers_are_told() {
    let rig = rig();
    let mut changes = rig.typing.changes();
    rig.typing.set(ROOM, &user("alice"), Some(10_000)).await.unwrap();
    rig.ears.heard();
    let since = rig.now();
    rig.clock.advance(9_000);
    rig.typing.set(ROOM, &user("alice"), Some(10_000)).await.unwrap();
    rig.typing.set(ROOM, &user("bob"), None).await.unwrap();
    assert_eq!((rig.ears.heard(), rig.news(since)), (vec![], None));
    let told = TypingChange { room: ROOM, user: user("alice"), typing: true };
    assert_eq!([changes.try_recv().unwrap(), changes.try_recv().unwrap()], [told.clone(), told]);
    assert!(changes.try_recv().is_err(), "bob did not type");
    rig.clock.advance(9_000);
    rig.typing.expire().await.unwrap();
    assert_eq!(rig.news(0), Some(vec!["alice".into()]), "the second time counts");
}

#[tokio::test]
async fn time_ends_typing_once_at_the_latest_after_two_minutes() {
    let rig = rig();
    rig.typing.set(ROOM, &user("alice"), Some(u64::MAX)).await.unwrap();
    let (since, mut changes) = (rig.now(), rig.typing.changes());
    rig.clock.advance(119_999);
    rig.typing.expire().await.unwrap();
    assert_eq!(rig.news(since), None);
    rig.clock.advance(1);
    rig.ears.heard();
    for _ in 0..2 {
        rig.typing.expire().await.unwrap();
    }
    assert_eq!(rig.news(since), Some(vec![]));
    assert_eq!(rig.ears.heard(), [Topic::Room(7)]);
    assert_eq!(changes.try_recv().unwrap(), TypingChange { room: ROOM, user: user("alice"), typing: false });
    assert!(changes.try_recv().is_err());
}

#[tokio::test]
async fn all_rooms_in_which_time_is_over_are_told_at_one_position() {
    let rig = rig();
    for room in 0..50 {
        rig.typing.set(RoomNum(room), &user("alice"), Some(1)).await.unwrap();
    }
    let before = rig.now();
    rig.clock.advance(1);
    rig.typing.expire().await.unwrap();
    assert_eq!(rig.now(), before + 1);
    assert!((0..50).all(|room| rig.typing.news(RoomNum(room), |at| at.n > before).is_some()));
}
