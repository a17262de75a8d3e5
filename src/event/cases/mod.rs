//! Tests, as tables of cases per room version and as properties.

mod build;
mod rooms;
mod stored;
