use base::Clock;
use kv::{Db, Topic, flaky::Flaky, memory::Memory};
use ruma::{OwnedDeviceId, device_id};

use super::{Ears, START, user};
use crate::{EphemeralError, MAX_STATUS_BYTES, Presence, PresenceState::*, Status};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;

struct Rig {
    presence: Presence,
    db: Db,
    clock: Clock,
    ears: std::sync::Arc<Ears>,
}

fn rig() -> Rig {
    let (db, clock) = (Db::new(Flaky::new(Memory::new())), Clock::fixed(START));
    Rig { presence: Presence::new(db.clone(), clock.clone(), true), ears: Ears::on(&db), db, clock }
}

impl Rig {
    async fn state(&self) -> crate::PresenceState {
        self.presence.now(&user("alice")).await.unwrap().state
    }

    /// One sync of a device of alice's that takes `seconds`, with the task that lets time pass.
    async fn sync(&self, device: &str, wanted: crate::PresenceState, seconds: u64) {
        let device = OwnedDeviceId::from(device);
        let poll = self.presence.poll(&user("alice"), Some(&device), wanted).await.unwrap();
        for _ in 0..seconds {
            self.clock.advance(SECOND);
            self.presence.expire().await.unwrap();
        }
        drop(poll);
    }

    async fn pass(&self, millis: u64) {
        self.clock.advance(millis);
        self.presence.expire().await.unwrap();
    }
}

#[tokio::test]
async fn who_syncs_is_online_and_offline_half_a_minute_after() {
    let rig = rig();
    assert_eq!(rig.state().await, Offline);
    rig.sync("A", Online, 29).await;
    assert_eq!(rig.state().await, Online);
    rig.pass(30 * SECOND).await;
    assert_eq!(rig.state().await, Online);
    rig.pass(1).await;
    assert_eq!(rig.state().await, Offline);
    assert_eq!(rig.ears.heard(), [Topic::Presence(user("alice")), Topic::Presence(user("alice"))]);
}

#[tokio::test]
async fn a_sync_that_waits_long_keeps_its_user_online() {
    let rig = rig();
    rig.sync("A", Online, 90).await;
    assert_eq!(rig.state().await, Online);
}

#[tokio::test]
async fn who_syncs_and_does_nothing_becomes_idle_once() {
    let rig = rig();
    for _ in 0..40 {
        rig.sync("A", Online, 30).await;
    }
    assert_eq!(rig.state().await, Unavailable);
    assert_eq!(rig.ears.heard().len(), 2, "online, then idle, and no change with each sync");
    rig.presence.active(&user("alice")).await.unwrap();
    assert_eq!(rig.state().await, Online);
    rig.sync("A", Online, 30).await;
    rig.sync("B", Online, 1).await;
    assert_eq!(rig.ears.heard().len(), 1);
}

#[tokio::test]
async fn a_device_that_begins_to_sync_ends_idleness() {
    let rig = rig();
    for _ in 0..12 {
        rig.sync("A", Online, 30).await;
    }
    assert_eq!(rig.state().await, Unavailable);
    rig.sync("B", Online, 0).await;
    assert_eq!(rig.state().await, Online);
}

#[tokio::test]
async fn of_several_devices_the_one_that_is_most_there_counts() {
    let rig = rig();
    rig.sync("A", Unavailable, 3).await;
    assert_eq!(rig.state().await, Unavailable);
    rig.sync("B", Online, 3).await;
    rig.ears.heard();
    for _ in 0..5 {
        // Both end and begin, as when an event wakes them.
        rig.sync("A", Unavailable, 3).await;
        rig.sync("B", Online, 3).await;
    }
    assert_eq!((rig.state().await, rig.ears.heard()), (Online, vec![]));
    for _ in 0..12 {
        rig.sync("A", Unavailable, 3).await;
    }
    assert_eq!(rig.state().await, Unavailable, "the other one is gone");
    assert_eq!(rig.ears.heard().len(), 1);
}

#[tokio::test]
async fn what_the_user_says_stands_while_clients_sync_as_before() {
    let rig = rig();
    rig.sync("A", Online, 5).await;
    rig.presence.set(&user("alice"), Unavailable, Some("cooking".into())).await.unwrap();
    rig.sync("A", Online, 5).await;
    rig.sync("A", Online, 5).await;
    let status = rig.presence.now(&user("alice")).await.unwrap();
    assert_eq!((status.state, status.status.as_deref()), (Unavailable, Some("cooking")));
    rig.presence.set(&user("alice"), Unavailable, Some("cooking".into())).await.unwrap();
    assert_eq!(rig.ears.heard().len(), 2, "online and away");
}

#[tokio::test]
async fn a_client_that_changes_its_mind_all_the_time_is_heard_every_other_second() {
    let rig = rig();
    for n in 0..1000 {
        let wanted = if n % 2 == 0 { Online } else { Unavailable };
        rig.sync("A", wanted, 0).await;
        rig.pass(10).await;
    }
    assert!(rig.ears.heard().len() <= 6, "in ten seconds");
    rig.sync("A", Unavailable, 3).await;
    assert_eq!(rig.state().await, Unavailable, "the last word counts");
}

#[tokio::test]
async fn who_asks_to_be_offline_is_not_seen() {
    let rig = rig();
    let poll = rig.presence.poll(&user("alice"), Some(device_id!("A")), Offline).await.unwrap();
    assert!(poll.is_none());
    assert_eq!(rig.state().await, Offline);
    let off = Presence::new(rig.db.clone(), rig.clock.clone(), false);
    assert!(off.poll(&user("alice"), None, Online).await.unwrap().is_none());
    off.set(&user("alice"), Online, None).await.unwrap();
    assert_eq!(off.now(&user("alice")).await.unwrap().state, Offline);
    assert_eq!(rig.ears.heard(), []);
}

#[tokio::test]
async fn status_messages_have_a_longest_length_and_outlast_a_restart() {
    let rig = rig();
    let alice = user("alice");
    let long = "x".repeat(MAX_STATUS_BYTES + 1);
    let refused = rig.presence.set(&alice, Online, Some(long.clone())).await;
    assert!(matches!(refused, Err(EphemeralError::StatusTooLong)));
    rig.presence.set(&alice, Online, Some(long[1..].to_owned())).await.unwrap();
    rig.clock.advance(MINUTE);
    let again = Presence::new(rig.db.clone(), rig.clock.clone(), true);
    let expected =
        Status { state: Offline, status: Some(long[1..].into()), active_ago: Some(MINUTE), currently_active: false };
    assert_eq!(again.now(&alice).await.unwrap(), expected);
    rig.presence.set_remote(&alice, Online, Some(long), None).await.unwrap();
    assert_eq!(rig.presence.now(&alice).await.unwrap().status, None);
}

#[tokio::test]
async fn a_user_of_another_server_is_as_it_says_until_it_is_silent_for_half_an_hour() {
    let rig = rig();
    let alice = user("alice");
    rig.presence.set_remote(&alice, Online, Some("hi".into()), Some(7 * MINUTE)).await.unwrap();
    rig.pass(25 * MINUTE).await;
    let status = rig.presence.now(&alice).await.unwrap();
    assert_eq!((status.state, status.active_ago), (Online, Some(32 * MINUTE)));
    rig.presence.set_remote(&alice, Online, Some("hi".into()), None).await.unwrap();
    rig.pass(30 * MINUTE).await;
    assert_eq!((rig.state().await, rig.ears.heard().len()), (Online, 1));
    rig.pass(1).await;
    assert_eq!((rig.state().await, rig.ears.heard().len()), (Offline, 1));
}

#[tokio::test]
async fn a_change_is_news_to_those_who_synced_before_it() {
    let rig = rig();
    let alice = user("alice");
    assert!(rig.presence.news(&alice, |_| true).is_none());
    rig.presence.set(&alice, Online, None).await.unwrap();
    let now = rig.db.positions().of(rig.db.writer());
    assert_eq!(rig.presence.news(&alice, |at| at.n == now).unwrap().state, Online);
    assert!(rig.presence.news(&alice, |at| at.n > now).is_none());
    assert_eq!(rig.presence.present(), [alice]);
}
