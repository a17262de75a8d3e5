//! Transaction ids.

use kv::Read;

use super::rig::Rig;
use crate::{rig, tables::SENT};

const HOUR: u64 = 60 * 60 * 1000;

#[tokio::test]
async fn a_repeated_transaction_id_answers_the_first_event_for_a_day_and_over_a_restart() {
    for mut rig in [Rig::new().await, Rig::flaky().await] {
        let first = rig.send_once("alice", "PHONE", "hi", "1").await;
        assert_eq!(rig.send_once("alice", "PHONE", "hi", "1").await, first);
        assert_ne!(rig.send_once("alice", "LAPTOP", "hi", "1").await, first, "of another device");
        assert_ne!(rig.send_once("alice", "PHONE", "hi", "2").await, first);
        rig.clock.advance(24 * HOUR - 60_000);
        rig.rooms = rig::rooms(rig.rooms.db(), &rig.clock, Vec::new());
        rig.rooms.sweep_sent().await.unwrap();
        assert_eq!(rig.send_once("alice", "PHONE", "hi", "1").await, first);
    }
}

#[tokio::test]
async fn transaction_ids_are_forgotten_after_two_days() {
    let rig = Rig::new().await;
    let rows = async || rig.rooms.db().view().scan(&SENT, SENT.all()).collect().await.unwrap().len();
    let first = rig.send_once("alice", "PHONE", "hi", "1").await;
    rig.clock.advance(48 * HOUR);
    rig.rooms.sweep_sent().await.unwrap();
    assert_eq!(rows().await, 0);
    assert_ne!(rig.send_once("alice", "PHONE", "hi", "1").await, first);
    rig.rooms.sweep_sent().await.unwrap();
    assert_eq!(rows().await, 1, "what is young stays");
}
