//! What a hundred endpoints cost that wait and have nothing to do.
//!
//! All are awaited at once in one process of their own, on one thread; the peer is as many of
//! tokio's pipes in the same state. A thread beside them takes the processor time of the whole
//! process: a runtime that one of its tasks has to itself would never come to look at a clock.
//!
//! Both executors stand beside the same peer: what async-io's files answer in two of the states
//! (an end, whenever one asks) leaves nothing there to wait with.

use std::fs::File;
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use fifowire::async_io::AsyncIo;
use fifowire::tokio::Tokio;
use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::process::{Worker, measured};
use super::report::{Figure, Report, Target};
use super::shared::ends::{fill, make_fifo, reader, writer};
use super::shared::executor::Executor;
use super::shared::waits::{LINE, News, Telling, Word, bare, ours};

pub(crate) const ROLE: &str = "idle-endpoints";

const ENDPOINTS: usize = 100;

/// How long they are looked at.
const LOOK_MS: usize = 5_000;

/// Before that: what an endpoint still has to find out it has found by then.
const SETTLING: Duration = Duration::from_millis(300);

/// In what state they wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Receivers whose first writer is still to come.
    NoWriterYet,
    /// Receivers whose last writer has left.
    WritersGone,
    /// Senders in front of full FIFOs.
    Full,
}

/// Whose they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Tokio,
    AsyncIo,
    Bare,
}

pub(crate) fn compare(report: &mut Report) {
    for (side, runtime) in [(Side::Tokio, "tokio"), (Side::AsyncIo, "async-io")] {
        for (state, words) in State::ALL {
            let name = format!("{runtime} idle 100 endpoints, {words}");
            if report.wants(&name) {
                let look = Duration::from_millis(report.count(LOOK_MS) as u64);
                let [ours, peer] = [side, Side::Bare].map(|side| share(side, state, look));
                report.add(&name, ours, peer, Target::OursAtMost(Figure::Percent(0.2)));
            }
        }
    }
}

/// The share of a core that they take.
fn share(side: Side, state: State, look: Duration) -> Figure {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let look_ms = look.as_millis().to_string();
    let arguments = [side.to_argument(), state.to_argument(), &look_ms];
    let spent = Worker::start(ROLE, directory.path(), &arguments).finish();
    Figure::Percent(100.0 * spent.as_secs_f64() / look.as_secs_f64())
}

/// The endpoints, and who observes them.
pub(crate) fn work(arguments: &[String]) {
    let [directory, side, state, look_ms] = arguments else { panic!("four arguments") };
    let (side, state) = (Side::from_argument(side), State::from_argument(state));
    let look = Duration::from_millis(look_ms.parse().expect("a number"));
    let paths = (0..ENDPOINTS).map(|number| Path::new(directory).join(number.to_string()));
    let paths: Vec<_> = paths.collect();
    paths.iter().for_each(|path| make_fifo(path));
    let readers = if state == State::Full { fill_all(&paths) } else { Vec::new() };

    let (telling, heard) = mpsc::channel();
    let (waiting, telling) = (paths.clone(), Telling(telling));
    thread::spawn(move || {
        // They stay for as long as somebody waits, which is until the process ends.
        let _readers = readers;
        wait(side, state, waiting, telling);
    });
    hear_all(&heard, News::Open);
    if state == State::WritersGone {
        let mut writers: Vec<_> = paths.iter().map(|path| writer(path)).collect();
        writers.iter_mut().for_each(|writer| writer.write_all(LINE).expect("there is room"));
        hear_all(&heard, News::Moved);
    }
    thread::sleep(SETTLING);
    measured(|| thread::sleep(look));
    assert_eq!(heard.try_recv(), Err(TryRecvError::Empty), "not all have waited");
}

/// Fills the FIFOs; answers the readers that will not read.
fn fill_all(paths: &[PathBuf]) -> Vec<File> {
    let readers = paths.iter().map(|path| reader(path)).collect();
    paths.iter().for_each(|path| fill(path));
    readers
}

fn hear_all(heard: &Receiver<News>, expected: News) {
    for _ in 0..ENDPOINTS {
        assert_eq!(heard.recv(), Ok(expected), "an endpoint is elsewhere");
    }
}

fn wait(side: Side, state: State, paths: Vec<PathBuf>, telling: Telling) {
    let executor = side.executor();
    let told = || telling.clone();
    if state == State::Full {
        match side {
            Side::Tokio => {
                together(executor, paths, |path| ours::send::<Tokio>(path, word(), told()))
            }
            Side::AsyncIo => {
                together(executor, paths, |path| ours::send::<AsyncIo>(path, word(), told()))
            }
            Side::Bare => together(executor, paths, |path| bare::send(path, word(), told())),
        }
    } else {
        match side {
            Side::Tokio => together(executor, paths, |path| ours::receive::<Tokio>(path, told())),
            Side::AsyncIo => {
                together(executor, paths, |path| ours::receive::<AsyncIo>(path, told()))
            }
            Side::Bare => together(executor, paths, |path| bare::receive(path, told())),
        }
    }
}

fn together<Wait: Future<Output = ()> + Send + 'static>(
    executor: Executor,
    paths: Vec<PathBuf>,
    wait: impl Fn(PathBuf) -> Wait,
) {
    let waits: Vec<_> = paths.into_iter().map(wait).collect();
    executor.run(async { drop(join_all(waits).await) });
}

/// To begin at once.
fn word() -> Word {
    let (sender, word) = oneshot::channel();
    sender.send(()).expect("the other half is here");
    word
}

impl State {
    const ALL: [(Self, &'static str); 3] = [
        (Self::NoWriterYet, "no writer yet"),
        (Self::WritersGone, "writers gone"),
        (Self::Full, "full"),
    ];

    fn to_argument(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, words)| words)
    }

    fn from_argument(argument: &str) -> Self {
        Self::ALL.iter().find(|(_, words)| *words == argument).expect("one of the three").0
    }
}

impl Side {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Tokio, "tokio"), (Self::AsyncIo, "async-io"), (Self::Bare, "bare")];

    fn to_argument(self) -> &'static str {
        Self::ALL.iter().find(|(side, _)| *side == self).map_or("", |(_, word)| word)
    }

    fn from_argument(argument: &str) -> Self {
        Self::ALL.iter().find(|(_, word)| *word == argument).expect("one of the three").0
    }

    fn executor(self) -> Executor {
        match self {
            Self::Tokio | Self::Bare => Executor::CurrentThread,
            Self::AsyncIo => Executor::AsyncIo,
        }
    }
}
