//! A request of 64 bytes and its reply, awaited, against peers on the same runtime.
//!
//! On one core each process is kept there from before its runtime and the runtime's threads are
//! made. On two, each process is settled on its own once its ends are open, for the reason at
//! [`Placement::Apart`], and async-io's reactor thread with it. Tokio's runtimes of several threads
//! are left both cores ([`Placement::Free`]).

use std::os::unix::net::UnixListener;

use fifowire::Pair;

use super::parties::{NAME, SOCKET_NAME, Seat, call, start_server};
use super::process::{Cores, Placement};
use super::report::{Report, Target};
use super::rounds::{Round, in_turn};
use super::sides::{self, Means, Side};

/// A line of the table.
struct Line {
    name: &'static str,
    ours: Side,
    peer: Side,
    placement: Placement,
    most: f64,
}

impl Line {
    const fn new(
        name: &'static str,
        [ours, peer]: [Side; 2],
        placement: Placement,
        most: f64,
    ) -> Self {
        Self { name, ours, peer, placement, most }
    }
}

const PIPES: [Side; 2] = [sides::OURS_CURRENT, sides::PIPES_CURRENT];
const PIPES_MULTI: [Side; 2] = [sides::OURS_MULTI, sides::PIPES_MULTI];
const SOCKET: [Side; 2] = [sides::OURS_CURRENT, sides::SOCKET_CURRENT];
const FILES: [Side; 2] = [sides::OURS_ASYNC_IO, sides::FILES_ASYNC_IO];
const SPINNING: [Side; 2] = [sides::OURS_SPINNING, sides::PIPES_CURRENT];

const LINES: [Line; 9] = [
    Line::new("tokio round trip 64 B, one core", PIPES, Placement::Together, 1.1),
    Line::new("tokio round trip 64 B, two cores", PIPES, Placement::Apart, 1.1),
    Line::new(
        "tokio multi-thread round trip 64 B, one core",
        PIPES_MULTI,
        Placement::Together,
        1.1,
    ),
    Line::new("tokio multi-thread round trip 64 B, two cores", PIPES_MULTI, Placement::Free, 1.1),
    Line::new("tokio round trip 64 B beside a socket, one core", SOCKET, Placement::Together, 0.8),
    Line::new("tokio round trip 64 B beside a socket, two cores", SOCKET, Placement::Apart, 0.8),
    Line::new("async-io round trip 64 B, one core", FILES, Placement::Together, 1.1),
    Line::new("async-io round trip 64 B, two cores", FILES, Placement::Apart, 1.1),
    Line::new("tokio spinning round trip 64 B, two cores", SPINNING, Placement::Apart, 0.15),
];

const CALLS: usize = 10_000;

pub(crate) fn compare(report: &mut Report) {
    for line in &LINES {
        if !report.wants(line.name) {
            continue;
        }
        let calls = report.count(CALLS);
        let play = |side| move || round(side, line.placement, calls);
        let (ours, peer) = in_turn(report, play(line.ours), play(line.peer));
        report.add(line.name, ours.time(), peer.time(), Target::RatioAtMost(line.most));
        if line.ours.means == Means::Spinning {
            let name = format!("{}, processor time of both", line.name);
            report.add(&name, ours.processor(), peer.processor(), Target::None);
        }
    }
}

fn round(side: Side, placement: Placement, calls: usize) -> Round {
    let cores = Cores::of_this_process();
    placement.begin(&cores);
    let directory = tempfile::tempdir().expect("a temporary directory");
    // Both are there for whoever wants them.
    let pair = Pair::create(directory.path(), NAME).expect("the directory is empty");
    let listener =
        UnixListener::bind(directory.path().join(SOCKET_NAME)).expect("the directory is empty");
    let worker = start_server(side, directory.path(), placement);
    let round = call(side, Seat { pair, placement, cores, nth: 0 }, listener, calls);
    round.with_server(worker.finish())
}
