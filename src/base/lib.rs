//! What two or more lower crates need and no crate owns: time, randomness, globs, turns, shares of memory.
//!
//! Code enters this crate only when two crates need it that must not know each other. It knows nothing of Matrix.

pub mod budget;
pub mod clock;
pub mod glob;
pub mod random;
pub mod turns;

pub use budget::{Budget, Share};
pub use clock::{Clock, Millis};
pub use turns::{Turn, Turns};
