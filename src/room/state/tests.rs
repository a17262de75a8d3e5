use std::collections::BTreeMap;

use kv::{Db, Read, memory::Memory};
use proptest::prelude::*;

use super::*;
use crate::{num::RoomNum, tables::STATE_NODES};

fn keys() -> impl Strategy<Value = u64> {
    // Dense below few types, as rooms are, and far apart now and then.
    prop_oneof![(1_u64..4, 0_u64..300).prop_map(|(kind, key)| kind << 32 | key), any::<u64>().prop_map(|k| k >> 1)]
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_tree_equals_a_map_and_its_root_depends_on_content_alone(changes in prop::collection::vec((keys(), 1_u64..50), 1..250)) {
        let cache = NodeCache::new(10_000);
        let trees = Trees::new(RoomNum(1), &cache);
        let mut tx = Db::new(Memory::new()).begin();
        let mut map = BTreeMap::new();
        let mut root = Root::EMPTY;
        for (key, event) in changes {
            root = wait(trees.insert(&mut tx, root, key, event)).unwrap();
            map.insert(key, event);
        }
        let entries: Vec<_> = map.iter().map(|(k, v)| (*k, *v)).collect();
        prop_assert_eq!(wait(trees.entries(&tx, root, 0..u64::MAX)).unwrap(), entries.clone());
        prop_assert_eq!(trees.build(&mut tx, &entries), root);
        cache.clear();
        for (key, event) in &map {
            prop_assert_eq!(wait(trees.get(&tx, root, *key)).unwrap(), Some(*event));
        }
        let one_type: Vec<_> = entries.iter().filter(|(k, _)| k >> 32 == 2).copied().collect();
        prop_assert_eq!(wait(trees.entries(&tx, root, 2 << 32..3 << 32)).unwrap(), one_type);
    }

    #[test]
    fn differences_are_what_two_maps_differ_in(
        base in prop::collection::btree_map(keys(), 1_u64..50, 0..200),
        changes in prop::collection::vec((keys(), 50_u64..99), 0..20),
    ) {
        let cache = NodeCache::new(10_000);
        let trees = Trees::new(RoomNum(1), &cache);
        let mut tx = Db::new(Memory::new()).begin();
        let old: Vec<_> = base.iter().map(|(k, v)| (*k, *v)).collect();
        let old = trees.build(&mut tx, &old);
        let (mut new, mut map) = (old, base.clone());
        for (key, event) in changes {
            new = wait(trees.insert(&mut tx, new, key, event)).unwrap();
            map.insert(key, event);
        }
        let expected: Vec<_> = map
            .iter()
            .filter(|(k, v)| base.get(k) != Some(v))
            .map(|(k, v)| Difference { key: *k, old: base.get(k).copied(), new: Some(*v) })
            .collect();
        prop_assert_eq!(&wait(trees.differences(&tx, old, new)).unwrap(), &expected);
        let turned = |one: &Difference| Difference { key: one.key, old: one.new, new: one.old };
        let back: Vec<_> = expected.iter().map(turned).collect();
        prop_assert_eq!(wait(trees.differences(&tx, new, old)).unwrap(), back);
    }
}

/// Bytes of keys and values that one change adds to the trees of a room of `members`, on average: of a member, and of
/// a topic.
fn growth(members: u64) -> (u64, u64) {
    const CHANGES: u64 = 500;
    let cache = NodeCache::new(100_000);
    let trees = Trees::new(RoomNum(1), &cache);
    let mut tx = Db::new(Memory::new()).begin();
    // Members are the second type of a room; the others have one event each.
    let others = [1, 3, 4, 5, 6, 7, 8].map(|kind| (kind << 32 | 1, kind));
    let mut entries: Vec<_> = others.into_iter().chain((1..=members).map(|n| (2 << 32 | n, 100 + n))).collect();
    entries.sort_unstable();
    let mut root = trees.build(&mut tx, &entries);
    let stored = |tx: &kv::Tx| {
        let rows = wait(tx.scan(&STATE_NODES, STATE_NODES.all()).by(100_000).collect()).unwrap();
        rows.iter().map(|(key, node)| (STATE_NODES.key(key).len() + 1 + node.len()) as u64).sum::<u64>()
    };
    let mut change = |tx: &mut kv::Tx, key: &dyn Fn(u64) -> StateKey| {
        let before = stored(tx);
        for n in 0..CHANGES {
            root = wait(trees.insert(tx, root, key(n), 1_000_000 + n)).unwrap();
        }
        (stored(tx) - before) / CHANGES
    };
    let of_member = change(&mut tx, &|n| 2 << 32 | (1 + n * 7919 % members));
    (of_member, change(&mut tx, &|_| 8 << 32 | 1))
}

/// The figures of decision 4.
#[test]
fn a_change_adds_little_to_the_trees_of_a_large_room() {
    for (members, most_of_member, most_of_topic) in [(10, 200, 200), (10_000, 1_000, 300)] {
        let (of_member, of_topic) = growth(members);
        println!("{members} members: {of_member} bytes per member event, {of_topic} per topic");
        assert!(of_member <= most_of_member && of_topic <= most_of_topic, "{members}: {of_member}, {of_topic}");
    }
}
