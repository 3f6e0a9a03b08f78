//! One test at a time, in an empty directory, with nothing left behind.

use std::fs;
use std::panic::Location;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::ledger::Ledger;
use super::watchdog::Watchdog;

/// Times are measured and descriptors counted, so tests of one process take turns.
static ALONE: Mutex<()> = Mutex::new(());

/// How long a test may take in all before the process is aborted.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a test in a directory of its own, which must be empty again at the end.
#[track_caller]
pub(crate) fn act(play: impl FnOnce(&Path)) {
    let place = Location::caller();
    let thread = std::thread::current();
    let test = format!("{} at {place}", thread.name().unwrap_or("a test"));
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _watchdog = Watchdog::start(test, LIMIT);
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open();
    play(directory.path());
    let left: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "left in the directory: {left:?}");
    ledger.close();
}
