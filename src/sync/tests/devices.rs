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

    /// Between any two positions: told are those who share a room at the second one and whose devices changed or with
    /// whom none was shared at the first one, or not all the time; and those with whom a room was shared at the first
    /// one only. Nobody is told of without a change of theirs or of who is in a room.
    #[test]
    fn the_lists_between_two_positions_are_the_difference_of_what_was_so_then(
        steps in prop::collection::vec((0_usize..3, 0_usize..2, 0_usize..4), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let rig = Rig::new();
            let rooms = [rig.room("dora").await, rig.room("dora").await];
            let people = ["alice", "bob", "carol"];
            let mut then = vec![(token(&rig.now("alice", None).await), Then::default())];
            for (who, room, what) in steps {
                let mut now = then.last().unwrap().1.clone();
                let name = people[who];
                if what == 0 {
                    rig.new_device(name).await;
                    *now.devices.entry(name).or_default() += 1;
                } else {
                    let action = if what == 1 { MemberAction::Leave } else { MemberAction::Join };
                    let _ = rig.rooms.change_member(&rooms[room], &MemberChange::own(user(name), action)).await;
                    *now.moves.entry(name).or_default() += 1;
                }
                for other in ["bob", "carol", "dora"] {
                    let shares = rig.shares("alice", other).await;
                    let before = now.shared.get(other).copied().unwrap_or_default();
                    // Odd while a room is shared.
                    now.shared.insert(other, if (before % 2 == 1) == shares { before } else { before + 1 });
                }
                then.push((token(&rig.now("alice", None).await), now));
                let (to, after) = then.last().unwrap();
                for (from, before) in &then {
                    let (changed, left) = rig.sync.key_changes(&user("alice"), from, to).await.unwrap();
                    for name in ["bob", "carol", "dora"] {
                        let id = user(name).to_string();
                        after.check(before, name, changed.contains(&id), left.contains(&id));
                    }
                    if before.devices.get("alice") != after.devices.get("alice") {
                        assert!(changed.contains(&user("alice").to_string()), "alice is told of her own devices");
                    }
                }
            }
        });
    }
}

/// What is so at some position.
#[derive(Clone, Debug, Default)]
struct Then {
    /// How often devices of somebody changed.
    devices: std::collections::BTreeMap<&'static str, u64>,
    /// How often somebody came or went, or tried to.
    moves: std::collections::BTreeMap<&'static str, u64>,
    /// How often it changed whether a room is shared with alice.
    shared: std::collections::BTreeMap<&'static str, u64>,
}

impl Then {
    fn shares(&self, name: &str) -> bool {
        self.shared.get(name).is_some_and(|changes| changes % 2 == 1)
    }

    /// Whether what alice is told of somebody since `before` is right.
    fn check(&self, before: &Self, name: &str, changed: bool, left: bool) {
        let (was, is) = (before.shares(name), self.shares(name));
        let differs =
            before.devices.get(name) != self.devices.get(name) || before.shared.get(name) != self.shared.get(name);
        assert!(changed || !(is && differs), "{name} is not told of as changed: {before:?} {self:?}");
        assert!(is || !changed, "{name} is told of and shares no room: {before:?} {self:?}");
        assert_eq!(left, was && !is, "that {name} left: {before:?} {self:?}");
        let reason = differs || before.moves != self.moves;
        assert!(!changed || reason, "{name} is told of for nothing: {before:?} {self:?}");
    }
}
