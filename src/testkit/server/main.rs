//! Tests of the whole server, one module per area.

mod coverage;
mod edge;
mod operation;
