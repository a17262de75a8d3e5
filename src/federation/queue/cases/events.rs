//! Which events go where, and in which order.

use kv::{flaky::Flaky, memory::Memory};
use room::{MemberAction, MemberChange};
use ruma::server_name;

use super::rig::{Rig, user};

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_destination_gets_the_events_of_its_rooms_in_order() {
    let mut rig = Rig::new();
    let (both, one) = (rig.room(&["a.test", "b.test"]).await, rig.room(&["a.test"]).await);
    let alone = rig.room(&[]).await;
    rig.start();
    for n in 0..120 {
        rig.say([&both, &one, &alone][n % 3], &n.to_string()).await;
    }
    rig.settle().await;

    let of_a = rig.heard_by("a.test");
    let said: Vec<_> = of_a.iter().filter(|text| text.parse::<usize>().is_ok()).cloned().collect();
    assert_eq!(said, (0..120).filter(|n| n % 3 < 2).map(|n| n.to_string()).collect::<Vec<_>>());
    let of_b: Vec<_> = rig.heard_by("b.test").into_iter().filter(|text| text.parse::<usize>().is_ok()).collect();
    assert_eq!(of_b, (0..120).filter(|n| n % 3 == 0).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_engine_with_conflicts_changes_nothing() {
    let mut rig = Rig::on(Flaky::new(Memory::new()));
    let room = rig.room(&["a.test"]).await;
    rig.start();
    for n in 0..60 {
        rig.say(&room, &n.to_string()).await;
    }
    rig.settle().await;
    assert_eq!(rig.heard_by("a.test")[1..], numbers(0..60));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_removed_gets_the_event_that_removes_it_and_nothing_later() {
    let mut rig = Rig::new();
    rig.start();
    let room = rig.room(&["a.test"]).await;
    rig.say(&room, "before").await;
    rig.leave(&room, "a.test").await;
    rig.say(&room, "after").await;
    rig.settle().await;
    assert_eq!(rig.heard_by("a.test"), ["test.enter", "before", "test.leave"]);
}

#[tokio::test(start_paused = true)]
async fn a_walk_that_is_late_finds_who_was_there_at_the_time() {
    let mut rig = Rig::new();
    let room = rig.room(&["a.test"]).await;
    rig.say(&room, "one").await;
    rig.leave(&room, "a.test").await;
    rig.say(&room, "two").await;
    rig.enter(&room, "b.test").await;
    rig.say(&room, "three").await;
    rig.enter(&room, "a.test").await;
    rig.say(&room, "four").await;
    rig.start();
    rig.settle().await;
    assert_eq!(rig.heard_by("a.test"), ["test.enter", "one", "test.leave", "test.enter", "four"]);
    assert_eq!(rig.heard_by("b.test"), ["test.enter", "three", "test.enter", "four"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_in_no_room_is_told_that_an_invite_was_taken_back() {
    let mut rig = Rig::new();
    let room = rig.room(&[]).await;
    rig.start();
    for action in [MemberAction::Invite { is_direct: false }, MemberAction::Kick] {
        let change = MemberChange::of(user("alice"), user("bob:away.test"), action);
        rig.rooms.change_member(&room, &change).await.unwrap();
    }
    rig.say(&room, "secret").await;
    rig.settle().await;
    assert_eq!(rig.heard_by("away.test"), ["m.room.member"]);
    assert_eq!(rig.rows().await["federation.singles"], 0);
}

#[tokio::test(start_paused = true)]
async fn the_join_by_which_this_server_comes_into_a_room_is_sent_by_who_let_it_in() {
    let mut rig = Rig::new();
    rig.start();
    let room = rig.room(&["a.test"]).await;
    rig.enter(&room, "hearth.test").await;
    rig.say(&room, "hello").await;
    rig.settle().await;
    assert_eq!(rig.heard_by("a.test"), ["test.enter", "hello"]);
}

#[tokio::test(start_paused = true)]
async fn stays_that_are_over_leave_no_rows_after_catching_up() {
    let mut rig = Rig::new();
    let room = rig.room(&["a.test"]).await;
    rig.start();
    rig.leave(&room, "a.test").await;
    rig.settle().await;
    assert_eq!(rig.rows().await["federation.stays"], 1);
    rig.crash().await;
    rig.start();
    rig.settle().await;
    assert_eq!(rig.rows().await["federation.stays"], 0);
    assert_eq!(rig.heard_by("a.test"), ["test.enter", "test.leave"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_to_pass_on_does_not_go_back_where_it_came_from() {
    let mut rig = Rig::new();
    let room = rig.room(&["a.test", "b.test"]).await;
    rig.say(&room, "hello").await;
    let num = rig.num(&room).await;
    let tip = rig.rooms.tip(&rig.db.view(), num).await.unwrap();
    let mut tx = rig.db.begin();
    rig.rooms.relay(&mut tx, num, tip.extremities[0].num, server_name!("a.test"));
    tx.commit().await.unwrap();
    // Also when it is read from the tables.
    rig.remote.0.lock().down.extend(["a.test".try_into().unwrap(), "b.test".try_into().unwrap()]);
    rig.start();
    rig.settle().await;
    rig.remote.0.lock().down.clear();
    rig.pass(20_000).await;
    assert_eq!(rig.heard_by("a.test"), ["test.enter", "test.enter"]);
    assert_eq!(rig.heard_by("b.test"), ["test.enter", "hello"]);
}

#[tokio::test(start_paused = true)]
async fn a_destination_with_everything_leaves_no_rows_but_its_stays() {
    let mut rig = Rig::new();
    rig.start();
    let room = rig.room(&["a.test"]).await;
    rig.say(&room, "hello").await;
    rig.settle().await;
    assert_eq!(rig.rows().await["federation.cursors"], 1);
    rig.clock.advance(120_000);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let rows = rig.rows().await;
    assert_eq!((rows["federation.cursors"], rows["federation.in_flight"], rows["federation.failing"]), (0, 0, 0));
    rig.say(&room, "again").await;
    rig.settle().await;
    assert_eq!(rig.heard_by("a.test"), ["test.enter", "hello", "again"]);
}
