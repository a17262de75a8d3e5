use std::collections::BTreeMap;

use kv::{Db, memory::Memory};
use proptest::prelude::*;

use super::*;
use crate::num::RoomNum;

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
        cache.invalidate_all();
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
        prop_assert_eq!(wait(trees.differences(&tx, old, new)).unwrap(), expected);
    }
}
