use base::Clock;
use kv::{Db, memory::Memory};
use ruma::{OwnedUserId, owned_user_id};

use crate::{Presence, PresenceState, Typing};

fn alice() -> OwnedUserId {
    owned_user_id!("@alice:hearth.test")
}

/// Presence and its clock.
struct Rig {
    presence: Presence,
    clock: Clock,
}

impl Rig {
    fn new(db: Db) -> Self {
        let clock = Clock::fixed(1_700_000_000_000);
        Self { presence: Presence::new(db, clock.clone(), true), clock }
    }

    async fn sync(&self) {
        drop(self.presence.poll(&alice(), PresenceState::Online).await.unwrap());
    }

    async fn after(&self, ms: u64) -> PresenceState {
        self.clock.advance(ms);
        self.presence.expire().await.unwrap();
        self.presence.now(&alice()).await.unwrap().state
    }
}

#[tokio::test]
async fn who_syncs_is_online_then_idle_then_gone() {
    let rig = Rig::new(Db::new(Memory::new()));
    let poll = rig.presence.poll(&alice(), PresenceState::Online).await.unwrap();
    assert_eq!(rig.after(60_000).await, PresenceState::Online);
    assert_eq!(rig.after(5 * 60_000).await, PresenceState::Unavailable);
    rig.presence.active(&alice()).await.unwrap();
    assert_eq!(rig.after(0).await, PresenceState::Online);
    drop(poll);
    assert_eq!(rig.after(20_000).await, PresenceState::Online);
    assert_eq!(rig.after(20_000).await, PresenceState::Offline);
}

#[tokio::test]
async fn who_is_idle_stays_idle_however_often_they_sync() {
    let rig = Rig::new(Db::new(Memory::new()));
    let mut told = rig.presence.changes();
    for _ in 0..40 {
        rig.sync().await;
        rig.after(20_000).await;
    }
    let mut changes = 0;
    while told.try_recv().is_ok() {
        changes += 1;
    }
    assert_eq!(changes, 2, "online once, idle once");
    rig.presence.active(&alice()).await.unwrap();
    rig.sync().await;
    assert_eq!(rig.after(0).await, PresenceState::Online);
}

#[tokio::test]
async fn what_a_user_says_of_their_presence_outlives_a_restart() {
    let db = Db::new(Memory::new());
    let rig = Rig::new(db.clone());
    rig.presence.set(&alice(), PresenceState::Online, Some("at work".into())).await.unwrap();
    let rig = Rig::new(db);
    rig.sync().await;
    let status = rig.presence.now(&alice()).await.unwrap();
    assert_eq!((status.state, status.status.as_deref()), (PresenceState::Online, Some("at work")));
}

#[tokio::test]
async fn typing_ends_by_itself_and_is_bounded() {
    let clock = Clock::fixed(1_700_000_000_000);
    let typing = Typing::new(Db::new(Memory::new()), clock.clone());
    let room = room::RoomNum(1);
    let who = || typing.news(room, |_| true).unwrap();
    typing.set(room, &alice(), Some(u64::MAX)).await.unwrap();
    assert_eq!(who(), [alice()]);
    clock.advance(120_000);
    assert!(who().is_empty());
    typing.expire().await.unwrap();
    typing.set(room, &alice(), Some(1000)).await.unwrap();
    typing.set(room, &alice(), None).await.unwrap();
    assert!(who().is_empty());
}
