//! What a sync response is made of: one file per stream.

pub mod account_data;
pub mod ephemeral;
pub mod heroes;
pub mod keys;
pub mod presence;
pub mod state;
pub mod stripped;
pub mod timeline;
pub mod to_device;
