//! The second process, the cores both run on, and the processor time they take.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::shared::processor_time;

/// The first argument of a worker process.
pub(crate) const WORKER: &str = "--worker";

/// This program once more, as the other end of a FIFO.
pub(crate) struct Worker {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts the process; it inherits the cores of this thread.
    pub(crate) fn start(role: &str, directory: &Path, arguments: &[&str]) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .args([WORKER, role])
            .arg(directory)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the worker starts");
        let commands = child.stdin.take().expect("it was asked for");
        let answers = BufReader::new(child.stdout.take().expect("it was asked for"));
        Self { child, commands, answers }
    }

    /// Waits until the worker has opened its end.
    pub(crate) fn wait_ready(&mut self) {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the worker speaks");
        assert_eq!(line, READY, "the worker failed before it was ready");
    }

    /// Has the worker begin.
    pub(crate) fn go(&mut self) {
        self.commands.write_all(b"\n").expect("the worker listens");
    }

    /// Waits for the worker's end; answers the processor time its work took.
    pub(crate) fn finish(mut self) -> Duration {
        let mut answer = String::new();
        self.answers.read_to_string(&mut answer).expect("the worker speaks");
        let status = self.child.wait().expect("the worker is ours");
        assert!(status.success(), "the worker failed: {status}");
        Duration::from_micros(answer.trim().parse().expect("the worker answers microseconds"))
    }
}

impl Drop for Worker {
    /// A failed measurement leaves nobody behind who waits in an `open` for ever.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const READY: &str = "ready\n";

/// In the worker: says that its end is open, and waits for the word to begin.
pub(crate) fn await_go() {
    let mut out = std::io::stdout();
    out.write_all(READY.as_bytes()).and_then(|()| out.flush()).expect("the parent listens");
    std::io::stdin().read_line(&mut String::new()).expect("the parent speaks");
}

/// In the worker: does the work and answers what processor time it took.
pub(crate) fn measured(work: impl FnOnce()) {
    let before = processor_time();
    work();
    answer(processor_time() - before);
}

/// In the worker: the processor time its work took.
pub(crate) fn answer(spent: Duration) {
    println!("{}", spent.as_micros());
}

/// Where two processes that talk to each other run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Both on one core, from before they open anything.
    Together,
    /// Each on a core of its own, from when both ends are open. Left to itself the scheduler moves
    /// two blocking processes onto one core in some runs and not in others, and a comparison with
    /// a peer that moves says nothing. (A process that may use one core only from the start takes
    /// its peer to be there too, and does not spin.)
    Apart,
    /// Wherever the scheduler puts them, ours and the peer's alike. It is for runtimes of several
    /// threads: whoever keeps one of those to a single core wants another runtime. (A write into
    /// a FIFO wakes its reader on the writer's core where it can: whole runs go by with both
    /// processes on one core, others with each on its own, and their figures differ sevenfold.)
    Free,
}

impl Placement {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Together, "together"), (Self::Apart, "apart"), (Self::Free, "free")];

    pub(crate) fn to_argument(self) -> &'static str {
        Self::ALL.iter().find(|(placement, _)| *placement == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn from_argument(argument: &str) -> Self {
        Self::ALL.iter().find(|(_, word)| *word == argument).expect("one of the three").0
    }

    /// Before anything is opened, in the process that starts the other.
    pub(crate) fn begin(self, cores: &Cores) {
        if self == Self::Together {
            cores.keep_to(0);
        }
    }

    /// Once this process's ends are open; the two are told apart by `nth`.
    pub(crate) fn settle(self, cores: &Cores, nth: usize) {
        if self == Self::Apart {
            cores.keep_to(nth);
        }
    }
}

/// The cores this process may use, put back when dropped.
///
/// The kernel keeps them for each thread by itself, and a runtime's threads outlive a round: so
/// all that there are are moved. Those to come inherit from the one that starts them.
pub(crate) struct Cores(CpuSet);

impl Cores {
    pub(crate) fn of_this_process() -> Self {
        Self(sched_getaffinity(Pid::from_raw(0)).expect("a thread may ask for its cores"))
    }

    /// Keeps this process on the `nth` of these cores.
    pub(crate) fn keep_to(&self, nth: usize) {
        let core = (0..CpuSet::count())
            .filter(|core| self.0.is_set(*core).unwrap_or(false))
            .nth(nth)
            .expect("two processes apart need two cores");
        let mut one = CpuSet::new();
        one.set(core).expect("the core is in the set it came from");
        allow(&one);
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        allow(&self.0);
    }
}

/// Lets every thread of this process run on these cores and no others.
fn allow(cores: &CpuSet) {
    for thread in fs::read_dir("/proc/self/task").expect("a process may look at its threads") {
        let name = thread.expect("a process may look at its threads").file_name();
        let id = name.to_str().and_then(|name| name.parse().ok()).expect("threads have numbers");
        match sched_setaffinity(Pid::from_raw(id), cores) {
            // It has ended meanwhile.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => panic!("the cores of thread {id}: {error}"),
        }
    }
}
