//! The hard end of a test: a call that never returns would otherwise hold everything up for ever.

use std::io::Write;
use std::process::abort;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::peer::kill_all;

/// Ends the whole process, with the test's name, unless it is dropped in time.
#[derive(Debug)]
pub(crate) struct Watchdog {
    calm: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    pub(crate) fn start(test: String, limit: Duration) -> Self {
        let (calm, ended) = sync_channel(0);
        let watch = move || {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                // Not `eprintln!`: what the harness captures dies with the process.
                let _ = writeln!(std::io::stderr(), "watchdog: {test} ran longer than {limit:?}");
                kill_all();
                abort();
            }
        };
        let thread = Builder::new().name("watchdog".into()).spawn(watch).unwrap();
        Self { calm: Some(calm), thread: Some(thread) }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.calm.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
