//! Another process of a test, and the line between the two.
//!
//! Each side says lines and hears lines; a peer that has something to wait for waits for a line.
//! The harness prints on the same standard output, so what is said starts with `@`.

use std::io::{BufRead, BufReader, Write, stdin};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

/// A process that plays a role, seen from the test. It is killed and reaped on drop.
#[derive(Debug)]
pub(crate) struct Peer {
    role: String,
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

/// The test, seen from a process that plays a role.
#[derive(Debug)]
pub(crate) struct Line {
    directory: PathBuf,
    arguments: Vec<String>,
}

impl Peer {
    pub(super) fn start(role: &str, command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (child.stdin.take(), child.stdout.take().unwrap());
        Self { role: role.to_owned(), child, to, from: BufReader::new(from) }
    }

    /// Says a line to the peer.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.to.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits for the next line of the peer; `None` once it has none left to say.
    pub(crate) fn try_hear(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.from.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(said) = line.strip_prefix('@') {
                return Some(said.trim_end().to_owned());
            }
        }
    }

    /// Waits for the next line of the peer.
    pub(crate) fn hear(&mut self) -> String {
        let said = self.try_hear();
        said.unwrap_or_else(|| panic!("{} has ended: {:?}", self.role, self.child.wait()))
    }

    /// Waits for this line.
    pub(crate) fn expect(&mut self, line: &str) {
        assert_eq!(self.hear(), line, "said by {}", self.role);
    }

    /// Waits until the peer has stopped itself.
    pub(crate) fn await_stop(&self) {
        let status = waitid(Id::Pid(self.pid()), WaitPidFlag::WSTOPPED).unwrap();
        assert!(matches!(status, WaitStatus::Stopped(..)), "{}: {status:?}", self.role);
    }

    /// Has a peer that has stopped go on.
    pub(crate) fn resume(&self) {
        kill(self.pid(), Signal::SIGCONT).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Kills the peer wherever it stands; it gets no chance to clean up. Answers what it had said
    /// and nobody had heard.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        let said = std::iter::from_fn(|| self.try_hear()).collect();
        let killed = Some(Signal::SIGKILL as i32);
        assert_eq!(status.signal(), killed, "{} had ended: {status}, {said:?}", self.role);
        said
    }

    /// Kills the peer wherever it stands, and lets what it has said pass.
    pub(crate) fn kill_in_place(&mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(Signal::SIGKILL as i32));
    }

    /// Waits for the peer to end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.to = None;
        self.child.wait().unwrap()
    }

    /// Waits for the peer to end well.
    pub(crate) fn finish(mut self) {
        let status = self.wait();
        assert!(status.success(), "{} failed: {status}", self.role);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Line {
    pub(super) fn new(directory: PathBuf, arguments: &str) -> Self {
        // A test that is aborted leaves no process behind.
        set_pdeathsig(Signal::SIGKILL).unwrap();
        Self { directory, arguments: arguments.lines().map(str::to_owned).collect() }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The argument at this place.
    pub(crate) fn argument(&self, at: usize) -> &str {
        &self.arguments[at]
    }

    /// The number that is the argument at this place.
    pub(crate) fn number(&self, at: usize) -> u64 {
        self.argument(at).parse().unwrap()
    }

    /// Says a line to the test.
    pub(crate) fn say(&self, line: &str) {
        println!("\n@{line}");
    }

    /// Waits for a line of the test; `None` once it has none left to say.
    pub(crate) fn hear(&self) -> Option<String> {
        let mut line = String::new();
        (stdin().read_line(&mut line).unwrap() > 0).then(|| line.trim_end().to_owned())
    }
}
