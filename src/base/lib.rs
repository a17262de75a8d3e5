//! What two or more lower crates need and no crate owns: time, randomness, secrets.
//!
//! Code enters this crate only when two crates below `room` need it. It knows nothing of Matrix.

pub mod clock;
pub mod random;

pub use clock::{Clock, Millis};
