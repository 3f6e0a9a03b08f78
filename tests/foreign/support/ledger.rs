//! What must be after a test as it was before: descriptors, threads, children.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::yield_now;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, waitpid};

/// The state of this process when a test began.
#[derive(Debug)]
pub(crate) struct Ledger {
    descriptors: BTreeMap<String, PathBuf>,
    mark: String,
}

/// Marks threads of this test: a thread inherits the kernel's name of its creator, so whatever a
/// call below would start carries the mark. The harness's own threads come and go meanwhile, and
/// a mere count would see them.
static MARKS: AtomicU32 = AtomicU32::new(0);

/// A thread that was joined is listed for an instant longer.
const LINGER: Duration = Duration::from_secs(1);

impl Ledger {
    pub(crate) fn open() -> Self {
        let mark = format!("stage-{}", MARKS.fetch_add(1, Ordering::Relaxed));
        fs::write("/proc/thread-self/comm", &mark).unwrap();
        Self { descriptors: descriptors(), mark }
    }

    /// Fails where anything is left over.
    pub(crate) fn close(self) {
        assert_eq!(descriptors(), self.descriptors, "descriptors are as before");
        let began = Instant::now();
        while marked_threads(&self.mark) > 1 && began.elapsed() < LINGER {
            yield_now();
        }
        assert_eq!(marked_threads(&self.mark), 1, "only the thread of the test itself is left");
        let child = waitpid(None, Some(WaitPidFlag::WNOHANG));
        assert_eq!(child, Err(Errno::ECHILD), "no child is left");
    }
}

fn descriptors() -> BTreeMap<String, PathBuf> {
    let name = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap())
        // The descriptor that lists the others leads nowhere once it is closed.
        .filter_map(|entry| Some((name(&entry), fs::read_link(entry.path()).ok()?)))
        .filter(|(_, target)| !target.starts_with(format!("/proc/{}/fd", std::process::id())))
        .collect()
}

fn marked_threads(mark: &str) -> usize {
    fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.trim_end() == mark)
        .count()
}
