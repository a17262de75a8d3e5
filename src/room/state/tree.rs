//! Looking up, changing and comparing persistent state trees.

use std::{ops::Range, sync::Arc};

use futures::future::{BoxFuture, FutureExt};
use kv::{Read, Tx};
use quick_cache::sync::Cache;

use super::node::{Child, Entry, LEAF, Node, Root, StateKey, nibble, prefix, shared};
use crate::{num::RoomNum, tables::STATE_NODES};

/// Nodes by name; they never change, so no entry is ever stale.
pub type NodeCache = Cache<(RoomNum, Root), Arc<Node>>;

/// A key whose event differs between two trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The state key.
    pub key: StateKey,
    /// Its event in the first tree.
    pub old: Option<u64>,
    /// Its event in the second tree.
    pub new: Option<u64>,
}

/// The trees of one room.
#[derive(Debug, Clone, Copy)]
pub struct Trees<'a> {
    room: RoomNum,
    cache: &'a NodeCache,
}

impl<'a> Trees<'a> {
    /// The trees of `room`.
    pub fn new(room: RoomNum, cache: &'a NodeCache) -> Self {
        Self { room, cache }
    }

    /// The event at `key`.
    ///
    /// # Errors
    /// When storage fails or a node is missing.
    pub async fn get(&self, read: &impl Read, root: Root, key: StateKey) -> kv::Result<Option<u64>> {
        let mut at = root;
        while at != Root::EMPTY {
            match &*self.node(read, at).await? {
                Node::Leaf(entries) => {
                    let found = entries.binary_search_by_key(&key, |(key, _)| *key).ok();
                    return Ok(found.and_then(|i| entries.get(i)).map(|(_, event)| *event));
                }
                Node::Inner { depth, prefix: own, children } => {
                    if prefix(key, *depth) != *own {
                        return Ok(None);
                    }
                    let wanted = nibble(key, *depth);
                    at = children.iter().find(|child| child.nibble == wanted).map_or(Root::EMPTY, |child| child.root);
                }
            }
        }
        Ok(None)
    }

    /// The tree with `key` set to `event`.
    ///
    /// # Errors
    /// When storage fails or a node is missing.
    pub async fn insert(&self, tx: &mut Tx, root: Root, key: StateKey, event: u64) -> kv::Result<Root> {
        Ok(self.inserted(tx, root, key, event).await?.root)
    }

    /// The tree of `entries`, which are sorted by key and distinct: one pass, for joins.
    pub fn build(&self, tx: &mut Tx, entries: &[Entry]) -> Root {
        match entries {
            [] => Root::EMPTY,
            entries => self.built(tx, entries).root,
        }
    }

    /// The entries with keys in `keys`, in order.
    ///
    /// # Errors
    /// When storage fails or a node is missing.
    pub fn entries<'b>(
        &'b self,
        read: &'b impl Read,
        root: Root,
        keys: Range<StateKey>,
    ) -> BoxFuture<'b, kv::Result<Vec<Entry>>> {
        async move {
            if root == Root::EMPTY {
                return Ok(Vec::new());
            }
            match &*self.node(read, root).await? {
                Node::Leaf(entries) => Ok(entries.iter().filter(|(key, _)| keys.contains(key)).copied().collect()),
                Node::Inner { depth, prefix, children } => {
                    let width = 1_u64 << (60 - 4 * u32::from(*depth));
                    let mut all = Vec::new();
                    for child in children {
                        let start = prefix + u64::from(child.nibble) * width;
                        if start < keys.end && start + (width - 1) >= keys.start {
                            all.extend(self.entries(read, child.root, keys.clone()).await?);
                        }
                    }
                    Ok(all)
                }
            }
        }
        .boxed()
    }

    /// The keys at which `old` and `new` differ, in order; costs what differs.
    ///
    /// # Errors
    /// When storage fails or a node is missing.
    pub fn differences<'b>(
        &'b self,
        read: &'b impl Read,
        old: Root,
        new: Root,
    ) -> BoxFuture<'b, kv::Result<Vec<Difference>>> {
        async move {
            if old == new {
                return Ok(Vec::new());
            }
            if old != Root::EMPTY && new != Root::EMPTY {
                let (a, b) = (self.node(read, old).await?, self.node(read, new).await?);
                if let (
                    Node::Inner { depth, prefix, children: a },
                    Node::Inner { depth: depth_b, prefix: prefix_b, children: b },
                ) = (&*a, &*b)
                    && (depth, prefix) == (depth_b, prefix_b)
                {
                    let of = |children: &[Child], nibble| {
                        children.iter().find(|c| c.nibble == nibble).map_or(Root::EMPTY, |c| c.root)
                    };
                    let mut all = Vec::new();
                    for nibble in 0..16 {
                        all.extend(self.differences(read, of(a, nibble), of(b, nibble)).await?);
                    }
                    return Ok(all);
                }
            }
            let old = self.entries(read, old, 0..StateKey::MAX).await?;
            let new = self.entries(read, new, 0..StateKey::MAX).await?;
            Ok(compare(&old, &new))
        }
        .boxed()
    }

    async fn node(&self, read: &impl Read, root: Root) -> kv::Result<Arc<Node>> {
        if let Some(node) = self.cache.get(&(self.room, root)) {
            return Ok(node);
        }
        let bytes = read.peek(&STATE_NODES, (self.room, root)).await?;
        let node = bytes.and_then(|bytes| Node::decode(&bytes));
        let node = Arc::new(node.ok_or_else(|| kv::Error::corrupt(STATE_NODES.name(), format!("no node {root:?}")))?);
        self.cache.insert((self.room, root), node.clone());
        Ok(node)
    }

    fn write(&self, tx: &mut Tx, key: StateKey, depth: u8, node: Node) -> Child {
        let (root, bytes) = node.encode();
        let count = node.count();
        tx.put(&STATE_NODES, (self.room, root), &bytes.into());
        self.cache.insert((self.room, root), Arc::new(node));
        Child { nibble: nibble(key, depth), root, count }
    }

    /// The subtree `root` with `key` set, as a child whose nibble the caller sets.
    fn inserted<'b>(
        &'b self,
        tx: &'b mut Tx,
        root: Root,
        key: StateKey,
        event: u64,
    ) -> BoxFuture<'b, kv::Result<Child>> {
        async move {
            if root == Root::EMPTY {
                return Ok(self.write(tx, key, 0, Node::Leaf(vec![(key, event)])));
            }
            match &*self.node(tx, root).await? {
                Node::Leaf(entries) => {
                    let mut entries = entries.clone();
                    match entries.binary_search_by_key(&key, |(key, _)| *key) {
                        Ok(at) => entries.iter_mut().skip(at).take(1).for_each(|entry| entry.1 = event),
                        Err(at) => entries.insert(at, (key, event)),
                    }
                    Ok(self.built(tx, &entries))
                }
                Node::Inner { depth, prefix: own, children } => {
                    let common = shared(key, *own).min(*depth);
                    if common < *depth {
                        let count = children.iter().map(|child| child.count).sum();
                        let old = Child { nibble: nibble(*own, common), root, count };
                        let mut new = self.write(tx, key, common, Node::Leaf(vec![(key, event)]));
                        new.nibble = nibble(key, common);
                        return Ok(self.inner(tx, key, common, vec![old, new]));
                    }
                    let at = nibble(key, *depth);
                    let below = children.iter().find(|child| child.nibble == at).map_or(Root::EMPTY, |c| c.root);
                    let mut child = self.inserted(tx, below, key, event).await?;
                    child.nibble = at;
                    let mut children: Vec<_> = children.iter().filter(|child| child.nibble != at).copied().collect();
                    children.push(child);
                    Ok(self.inner(tx, key, *depth, children))
                }
            }
        }
        .boxed()
    }

    fn inner(&self, tx: &mut Tx, key: StateKey, depth: u8, mut children: Vec<Child>) -> Child {
        children.sort_by_key(|child| child.nibble);
        self.write(tx, key, depth, Node::Inner { depth, prefix: prefix(key, depth), children })
    }

    fn built(&self, tx: &mut Tx, entries: &[Entry]) -> Child {
        let (Some((first, _)), Some((last, _))) = (entries.first(), entries.last()) else {
            return Child { nibble: 0, root: Root::EMPTY, count: 0 };
        };
        if entries.len() <= LEAF {
            return self.write(tx, *first, 0, Node::Leaf(entries.to_vec()));
        }
        let depth = shared(*first, *last);
        let parts = entries.chunk_by(|(a, _), (b, _)| nibble(*a, depth) == nibble(*b, depth));
        let children = parts
            .map(|part| {
                let mut child = self.built(tx, part);
                child.nibble = part.first().map_or(0, |(key, _)| nibble(*key, depth));
                child
            })
            .collect();
        self.inner(tx, *first, depth, children)
    }
}

/// The differences of two sorted lists.
fn compare(old: &[Entry], new: &[Entry]) -> Vec<Difference> {
    let (mut a, mut b) = (old.iter().peekable(), new.iter().peekable());
    let mut all = Vec::new();
    loop {
        let key = match (a.peek(), b.peek()) {
            (Some((x, _)), Some((y, _))) => *x.min(y),
            (Some((x, _)), None) | (None, Some((x, _))) => *x,
            (None, None) => return all,
        };
        let old = a.next_if(|(k, _)| *k == key).map(|(_, event)| *event);
        let new = b.next_if(|(k, _)| *k == key).map(|(_, event)| *event);
        if old != new {
            all.push(Difference { key, old, new });
        }
    }
}
