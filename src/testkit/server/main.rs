//! Tests of the whole server, one module per area.

mod accounts;
mod coverage;
mod edge;
mod media;
mod operation;
mod rooms;
