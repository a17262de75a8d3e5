//! Rules and counts as users see them.

mod counts;
mod model;
mod pushers;
mod rig;
mod rules;
