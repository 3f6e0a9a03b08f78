//! What a process holds, counted before a test and after it: whatever happened, nothing may be
//! left.

use std::fs;
use std::path::Path;

use super::time::until;

/// Descriptors, threads, child processes, and the entries of the test's directory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ledger {
    descriptors: Vec<String>,
    threads: usize,
    children: String,
    entries: Vec<String>,
}

impl Ledger {
    pub(crate) fn take(directory: &Path) -> Self {
        Self {
            descriptors: descriptors(),
            threads: threads(),
            children: children(),
            entries: names(directory),
        }
    }

    /// Fails where anything differs from now.
    pub(crate) fn check(&self, directory: &Path) {
        // A joined thread stays in `/proc` for a moment.
        until("as many threads as before", || threads() == self.threads);
        assert_eq!(*self, Self::take(directory), "what the test has left behind");
    }
}

/// The open descriptors with what they are of, but for the one that lists them.
pub(crate) fn descriptors() -> Vec<String> {
    let list = fs::read_dir("/proc/self/fd").unwrap().map(Result::unwrap);
    let mut open: Vec<String> = list
        .filter_map(|entry| Some((entry.file_name(), fs::read_link(entry.path()).ok()?)))
        .map(|(fd, target)| format!("{} -> {}", fd.to_string_lossy(), target.display()))
        .filter(|open| !open.ends_with("/fd"))
        .collect();
    open.sort();
    open
}

/// How many threads this process has.
pub(crate) fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

fn children() -> String {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(Result::unwrap);
    tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok()).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
