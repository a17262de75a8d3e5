//! Whose devices changed.

use account::{DeviceChange, DeviceProjection};
use e2ee::KeysProjection;
use ruma::OwnedDeviceId;

use super::*;

impl Rig {
    async fn new_device(&self, name: &str) {
        let mut tx = self.rooms.db().begin();
        let device = OwnedDeviceId::from("NEW");
        KeysProjection.device(&mut tx, &user(name), &device, DeviceChange::Added).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn shares(&self, a: &str, b: &str) -> bool {
        self.rooms.share_a_room(&self.rooms.db().view(), &user(a), &user(b)).await.unwrap()
    }
}

fn lists(response: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let names = |list: &Value| -> BTreeSet<_> {
        list.as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    (names(&response["device_lists"]["changed"]), names(&response["device_lists"]["left"]))
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.iter().map(|name| user(name).to_string()).collect()
}

#[tokio::test]
async fn a_new_device_wakes_those_who_share_a_room_with_its_user() {
    let rig = Arc::new(Rig::new());
    let room = rig.room("alice").await;
    rig.member(&room, "bob", MemberAction::Join).await;
    rig.room("carol").await;
    let of_carol = token(&rig.now("carol", None).await);
    let since = token(&rig.now("bob", None).await);
    let waiting = tokio::spawn({
        let (rig, since) = (rig.clone(), since.clone());
        async move { rig.ask("bob", Some(&since), Duration::from_secs(60)).await }
    });
    tokio::task::yield_now().await;
    rig.new_device("alice").await;
    let told = waiting.await.unwrap();
    assert_eq!(lists(&told), (names(["alice"]), names([])));
    assert_eq!(lists(&rig.now("bob", Some(&token(&told))).await), (names([]), names([])));
    assert_eq!(lists(&rig.now("carol", Some(&of_carol)).await), (names([]), names([])));
    let (changed, left) = rig.sync.key_changes(&user("bob"), &since, &token(&told)).await.unwrap();
    assert_eq!((changed, left), (vec![user("alice").to_string()], vec![]));
}

#[tokio::test]
async fn meeting_and_parting_are_told_to_both() {
    let rig = Rig::new();
    let (room, other) = (rig.room("alice").await, rig.room("alice").await);
    let (alice, bob) = (token(&rig.now("alice", None).await), token(&rig.now("bob", None).await));
    rig.member(&room, "bob", MemberAction::Join).await;
    let (of_alice, of_bob) = (rig.now("alice", Some(&alice)).await, rig.now("bob", Some(&bob)).await);
    assert_eq!((lists(&of_alice).0, lists(&of_bob).0), (names(["bob"]), names(["alice", "bob"])));
    rig.member(&other, "bob", MemberAction::Join).await;
    rig.member(&room, "bob", MemberAction::Leave).await;
    let of_alice = rig.now("alice", Some(&token(&of_alice))).await;
    assert_eq!(lists(&of_alice).1, names([]), "another room is shared");
    rig.member(&other, "bob", MemberAction::Leave).await;
    let (of_alice, of_bob) =
        (rig.now("alice", Some(&token(&of_alice))).await, rig.now("bob", Some(&token(&of_bob))).await);
    assert_eq!((lists(&of_alice).1, lists(&of_bob).1), (names(["bob"]), names(["alice"])));
}

#[tokio::test]
async fn who_left_and_came_back_unseen_is_told_as_changed_and_who_changed_their_name_is_not() {
    let rig = Rig::new();
    let room = rig.room("alice").await;
    rig.member(&room, "bob", MemberAction::Join).await;
    let (alice, bob) = (token(&rig.now("alice", None).await), token(&rig.now("bob", None).await));
    let named = MemberProfile { displayname: Some("Bob".into()), ..MemberProfile::default() };
    let renamed = MemberChange::own(user("bob"), MemberAction::Join).with_profile(named);
    rig.rooms.change_member(&room, &renamed).await.unwrap();
    assert_eq!(lists(&rig.now("alice", Some(&alice)).await), (names([]), names([])));
    rig.member(&room, "bob", MemberAction::Leave).await;
    rig.member(&room, "bob", MemberAction::Join).await;
    assert_eq!(lists(&rig.now("alice", Some(&alice)).await), (names(["bob"]), names([])));
    assert_eq!(lists(&rig.now("bob", Some(&bob)).await), (names(["alice", "bob"]), names([])));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever follows the lists knows at any time exactly those with whom a room is shared.
    #[test]
    fn the_lists_add_up_to_who_shares_a_room(
        steps in prop::collection::vec((0_usize..3, 0_usize..2, any::<bool>(), any::<bool>()), 1..16),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let rig = Rig::new();
            let rooms = [rig.room("dora").await, rig.room("dora").await];
            let people = ["alice", "bob", "carol"];
            let mut since = token(&rig.now("alice", None).await);
            let mut known = BTreeSet::new();
            for (who, room, join, look) in steps {
                let action = if join { MemberAction::Join } else { MemberAction::Leave };
                // Leaving where one is not is refused, and changes nothing.
                let change = MemberChange::own(user(people[who]), action);
                let _ = rig.rooms.change_member(&rooms[room], &change).await;
                if look {
                    let response = rig.now("alice", Some(&since)).await;
                    let (changed, left) = lists(&response);
                    known.extend(changed);
                    // Who comes into a room is told of themselves too.
                    known.remove(user("alice").as_str());
                    known.retain(|name| !left.contains(name));
                    let mut expected = BTreeSet::new();
                    for other in ["bob", "carol", "dora"] {
                        if rig.shares("alice", other).await {
                            expected.extend(names([other]));
                        }
                    }
                    assert_eq!(known, expected);
                    since = token(&response);
                }
            }
        });
    }
}
