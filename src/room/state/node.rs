//! Nodes of the persistent state tree.
//!
//! Keys are 64-bit numbers: the event type's number above, the state key's below, so one type is one subtree.
//! The shape depends on the content alone: at most [`LEAF`] entries are one leaf; more are split by the first
//! nibble in which their keys differ. A node's name is the hash of its bytes, so equal states have equal roots.

use kv::codec::{Encode, KeyBuf, KeyPart, take};
use serde::{Deserialize, Serialize};

/// Most entries of a leaf.
pub const LEAF: usize = 32;

/// The name of a tree: the first 16 bytes of the BLAKE3 hash of its top node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Root([u8; 16]);

impl Root {
    /// The tree without entries; it has no node.
    pub const EMPTY: Self = Self([0; 16]);
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl KeyPart for Root {
    fn decode(input: &mut &[u8]) -> Option<Self> {
        <[u8; 16]>::decode(input).map(Self)
    }
}

impl Encode<Root> for Root {
    fn encode(&self, out: &mut KeyBuf) {
        self.0.encode(out);
    }
}
kv::value!(Root);

/// A state key's number in its room.
pub type StateKey = u64;
/// An entry: state key and event number.
pub type Entry = (StateKey, u64);

/// A part of an inner node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child {
    /// The nibble that its keys have at the node's depth.
    pub nibble: u8,
    /// Its node.
    pub root: Root,
    /// How many entries are below it.
    pub count: u64,
}

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Entries in order of their keys.
    Leaf(Vec<Entry>),
    /// More than [`LEAF`] entries, which share the `depth` first nibbles of `prefix`.
    Inner {
        /// How many nibbles they share.
        depth: u8,
        /// The shared nibbles, the rest zero.
        prefix: u64,
        /// Parts, in order of their nibbles; at least two.
        children: Vec<Child>,
    },
}

/// The nibble of `key` at `depth`, the highest first.
pub fn nibble(key: StateKey, depth: u8) -> u8 {
    ((key >> (60 - 4 * u32::from(depth.min(15)))) & 15) as u8
}

/// `key` with all but its `depth` first nibbles zeroed.
pub fn prefix(key: StateKey, depth: u8) -> u64 {
    if depth == 0 { 0 } else { key & (u64::MAX << (64 - 4 * u32::from(depth.min(16)))) }
}

/// How many nibbles `a` and `b` share.
pub fn shared(a: StateKey, b: StateKey) -> u8 {
    u8::try_from((a ^ b).leading_zeros() / 4).unwrap_or(16)
}

impl Node {
    /// How many entries are in the tree below.
    pub fn count(&self) -> u64 {
        match self {
            Self::Leaf(entries) => entries.len() as u64,
            Self::Inner { children, .. } => children.iter().map(|child| child.count).sum(),
        }
    }

    /// The stored bytes and their name.
    pub fn encode(&self) -> (Root, Vec<u8>) {
        let mut out = Vec::with_capacity(160);
        match self {
            Self::Leaf(entries) => {
                out.push(0);
                let mut last = 0;
                for (key, event) in entries {
                    varint(key - last, &mut out);
                    varint(*event, &mut out);
                    last = *key;
                }
            }
            Self::Inner { depth, prefix, children } => {
                out.push(1 + depth);
                out.extend_from_slice(&prefix.to_be_bytes());
                for child in children {
                    out.push(child.nibble);
                    out.extend_from_slice(&child.root.0);
                    varint(child.count, &mut out);
                }
            }
        }
        let mut name = [0; 16];
        for (to, from) in name.iter_mut().zip(blake3::hash(&out).as_bytes()) {
            *to = *from;
        }
        (Root(name), out)
    }

    /// Reads stored bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = bytes;
        match *take(&mut input, 1)?.first()? {
            0 => {
                let mut entries = Vec::new();
                let mut last = 0_u64;
                while !input.is_empty() {
                    last = last.checked_add(read_varint(&mut input)?)?;
                    entries.push((last, read_varint(&mut input)?));
                }
                Some(Self::Leaf(entries))
            }
            depth => {
                let prefix = u64::decode(&mut input)?;
                let mut children = Vec::new();
                while !input.is_empty() {
                    let nibble = *take(&mut input, 1)?.first()?;
                    children.push(Child { nibble, root: Root::decode(&mut input)?, count: read_varint(&mut input)? });
                }
                Some(Self::Inner { depth: depth - 1, prefix, children })
            }
        }
    }
}

fn varint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push((n & 0x7F) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn read_varint(input: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in (0..64).step_by(7) {
        let byte = *take(input, 1)?.first()?;
        n |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(n);
        }
    }
    None
}
