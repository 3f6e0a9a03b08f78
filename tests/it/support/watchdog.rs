//! Ends a process that runs longer than it may, and says which test it was and where it hangs.

use std::fs;
use std::process::abort;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// Over a process until it is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    _over: Sender<()>,
}

impl Watchdog {
    /// Aborts the process after `limit`.
    pub(crate) fn over(name: String, limit: Duration) -> Self {
        let (over, ended) = channel::<()>();
        let watch = move || {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                eprintln!("watchdog: {name} runs longer than {limit:?}\n{}", whereabouts());
                abort();
            }
        };
        thread::Builder::new().name("watchdog".into()).spawn(watch).unwrap();
        Self { _over: over }
    }
}

/// What each thread of this process is doing.
fn whereabouts() -> String {
    let mut lines = String::new();
    for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let (name, state) = (read("comm"), read("stat"));
        let state = state.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
        let (state, call) = (state.unwrap_or("?").to_owned(), read("syscall"));
        lines += &format!("{}: {state} in {} {call}", name.trim(), read("wchan"));
    }
    lines
}
