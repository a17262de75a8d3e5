//! A failed fsync stops the process: the test binary runs itself as a child whose disk fails.

use std::{os::unix::process::ExitStatusExt, process::Command, sync::Arc};

use super::{append, directory, open_with};
use crate::{Hooks, Options};

const DIRECTORY: &str = "HEARTH_STOP_TEST_DIR";
const SIGABRT: i32 = 6;

/// Not a test by itself: what the parent starts.
#[tokio::test]
async fn child() {
    let Ok(path) = std::env::var(DIRECTORY) else { return };
    let hooks = Hooks { before_sync: Some(Arc::new(|| Err("input/output error".into()))), ..Hooks::default() };
    let (_engine, db) = open_with(path.as_ref(), Options { hooks, ..Options::default() });
    append(&db, "never durable").await;
    println!("acknowledged");
}

#[test]
fn a_failed_fsync_stops_the_process_before_anything_is_acknowledged() {
    let dir = directory();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::stop::child", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), Some(SIGABRT), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("acknowledged"));
}
