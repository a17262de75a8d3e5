//! Room state as persistent trees: the state at an event is a root, and equal states share it.

pub mod keys;
mod node;
mod tree;

pub use node::{Entry, Root, StateKey};
pub use tree::{Difference, NodeCache, Trees};

#[cfg(test)]
mod tests;
