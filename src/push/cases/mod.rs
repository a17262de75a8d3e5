//! Rules and counts as users see them.

mod counts;
mod model;
mod rig;
mod rules;
