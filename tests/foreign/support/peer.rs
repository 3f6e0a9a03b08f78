//! A foreign process: started, listened to, and killed and reaped when it goes out of scope.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// A peer that speaks in lines on its standard output, and listens on its standard input.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    script: String,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// The process groups that are alive, for an end of this process that drops nothing.
static ALIVE: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn alive() -> MutexGuard<'static, BTreeSet<i32>> {
    ALIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills whatever was started, before this process is aborted.
pub(super) fn kill_all() {
    for group in alive().iter() {
        let _ = killpg(Pid::from_raw(*group), Signal::SIGKILL);
    }
}

impl Peer {
    /// Starts `scripts/SCRIPT` in the language that its name ends with.
    pub(crate) fn start<A: AsRef<OsStr>>(
        script: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let interpreter = match Path::new(script).extension().and_then(OsStr::to_str) {
            Some("py") => python(),
            Some("sh") => shell(),
            _ => panic!("no interpreter for {script}"),
        };
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
        let mut child = Command::new(interpreter)
            .arg(here.join("scripts").join(script))
            .args(arguments)
            .env("PYTHONPATH", here.join("peer"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Of its own, so that what a shell has started dies with it.
            .process_group(0)
            .spawn()
            .unwrap();
        alive().insert(child.id() as i32);
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, script: script.to_owned(), input, output }
    }

    /// The next line it says; the watchdog bounds the wait.
    pub(crate) fn says(&mut self) -> String {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).unwrap();
        assert_ne!(read, 0, "{} ended without another word", self.script);
        line.trim_end().to_owned()
    }

    /// Waits for this line, which must be the next.
    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str) {
        assert_eq!(self.says(), line, "{}", self.script);
    }

    /// Waits for a line of `word` and a number; answers the number.
    #[track_caller]
    pub(crate) fn expect_number(&mut self, word: &str) -> u64 {
        let line = self.says();
        let number = line.strip_prefix(word).and_then(|number| number.trim().parse().ok());
        number.unwrap_or_else(|| panic!("{} said {line:?}, not {word:?}", self.script))
    }

    /// Gives it a line to act on.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits for its end, which must be a success.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        self.input = None;
        let status = self.reap();
        assert!(status.success(), "{} ended with {status}", self.script);
    }

    /// Waits for it to be killed, as it does to itself.
    #[track_caller]
    pub(crate) fn dies(mut self) {
        let status = self.reap();
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "{}: {status}", self.script);
    }

    /// Kills it at once, as a crash would.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Waits for its end; meanwhile the watchdog can still kill it.
    fn reap(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        alive().remove(&(self.child.id() as i32));
        status
    }

    fn end(&mut self) {
        let group = self.child.id() as i32;
        if alive().contains(&group) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            self.reap();
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}

/// The clock that Python calls `time.monotonic_ns`.
pub(crate) fn monotonic_ns() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// The interpreter itself: what stands in the path may be a script that takes its time to find it.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let program = "import sys; assert sys.version_info >= (3, 8); print(sys.executable)";
        let output = Command::new("python3").args(["-c", program]).output();
        let found = output.ok().filter(|output| output.status.success()).unwrap_or_else(|| {
            panic!("these tests need Python 3.8 or later as `python3`: apt-get install python3")
        });
        PathBuf::from(String::from_utf8(found.stdout).unwrap().trim_end())
    })
}

fn shell() -> &'static Path {
    let sh = Path::new("/bin/sh");
    let answers = Command::new(sh).args(["-c", "exit 0"]).status();
    assert!(
        answers.is_ok_and(|status| status.success()),
        "these tests need a POSIX shell as /bin/sh: apt-get install dash"
    );
    sh
}
