//! A request of 64 bytes and its reply, awaited, against peers on the same runtime.
//!
//! On one core each process is kept there from before its runtime and the runtime's threads are
//! made. On two, a runtime of one thread is settled once its ends are open, for the reason at
//! [`Placement::Apart`]; one of several threads is left both cores ([`Placement::Free`]).

use std::future::ready;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use fifowire::async_io::AsyncIo;
use fifowire::awaited::{Client, Runtime, Server};
use fifowire::codec::Postcard;
use fifowire::tokio::Tokio;
use fifowire::{EndOfWriters, Pair};

use super::async_io_by_hand::Files;
use super::by_hand::{open_reader, open_writer};
use super::exchange::{Caller, clock, echo, measured};
use super::packet::Packet;
use super::process::{Cores, Placement, Worker};
use super::report::{Report, Target};
use super::rounds::{Round, in_turn};
use super::shared::executor::Executor;
use super::sides::{self, Means, Side};
use super::tokio_by_hand;

pub(crate) const ROLE: &str = "awaited-round-trip-server";

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

/// How long the sides that spin look again.
const SPIN: Duration = Duration::from_micros(50);

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

pub(crate) const NAME: &str = "bench";

fn round(side: Side, placement: Placement, calls: usize) -> Round {
    let cores = Cores::of_this_process();
    placement.begin(&cores);
    let directory = tempfile::tempdir().expect("a temporary directory");
    // Both are there for whoever wants them: the peer takes the FIFOs of the pair, too.
    let pair = Pair::create(directory.path(), NAME).expect("the directory is empty");
    let listener = UnixListener::bind(directory.path().join(SOCKET_NAME)).expect("the same");
    let worker = start_server(side, directory.path(), placement);
    let round = call(side, Seat { pair, placement, cores, nth: 0 }, listener, calls);
    round.with_server(worker.finish())
}

/// Starts the process that gives every packet back.
pub(crate) fn start_server(side: Side, directory: &Path, placement: Placement) -> Worker {
    Worker::start(ROLE, directory, &[side.to_argument(), placement.to_argument()])
}

const SOCKET_NAME: &str = "socket";

/// One of the two processes: where it meets the other, and where it runs from then on.
struct Seat {
    pair: Pair,
    placement: Placement,
    cores: Cores,
    nth: usize,
}

impl Seat {
    /// Once this process's ends are open.
    fn settle(&self) {
        self.placement.settle(&self.cores, self.nth);
    }
}

fn call(side: Side, seat: Seat, listener: UnixListener, calls: usize) -> Round {
    let executor = side.executor;
    match side.means {
        Means::Ours | Means::Spinning => {
            let spin = spin(side.means);
            match executor {
                Executor::AsyncIo => executor.run(call_ours::<AsyncIo>(seat, spin, calls)),
                _ => executor.run(call_ours::<Tokio>(seat, spin, calls)),
            }
        }
        Means::Pipes => executor.run(async move {
            let connection = tokio_by_hand::pipes(seat.pair.output(), seat.pair.input()).await;
            seat.settle();
            clock(Caller(connection), calls).await
        }),
        Means::Socket => executor.run(async move {
            let (stream, _) = listener.accept().expect("the server connects");
            let connection = tokio_by_hand::socket(stream);
            seat.settle();
            clock(Caller(connection), calls).await
        }),
        Means::Files => executor.run(async move {
            let outbound = open_writer(seat.pair.input());
            let connection = Files::new(open_reader(seat.pair.output()), outbound);
            seat.settle();
            clock(Caller(connection), calls).await
        }),
    }
}

/// The server: gives every packet back, until the client has left.
pub(crate) fn work(arguments: &[String]) {
    let [directory, side, placement] = arguments else { panic!("three arguments") };
    let (directory, side) = (Path::new(directory).to_path_buf(), Side::from_argument(side));
    let (placement, cores) = (Placement::from_argument(placement), Cores::of_this_process());
    let pair = Pair::at(&directory, NAME).expect("the name is valid");
    let seat = Seat { pair, placement, cores, nth: 1 };
    let executor = side.executor;
    match side.means {
        Means::Ours | Means::Spinning => {
            let spin = spin(side.means);
            match executor {
                Executor::AsyncIo => executor.run(serve_ours::<AsyncIo>(seat, spin)),
                _ => executor.run(serve_ours::<Tokio>(seat, spin)),
            }
        }
        Means::Pipes => executor.run(async move {
            let connection = tokio_by_hand::pipes(seat.pair.input(), seat.pair.output()).await;
            seat.settle();
            measured(echo(connection)).await;
        }),
        Means::Socket => executor.run(async move {
            let stream = UnixStream::connect(directory.join(SOCKET_NAME));
            let connection = tokio_by_hand::socket(stream.expect("the client listens"));
            seat.settle();
            measured(echo(connection)).await;
        }),
        Means::Files => executor.run(async move {
            let inbound = open_reader(seat.pair.input());
            let connection = Files::new(inbound, open_writer(seat.pair.output()));
            seat.settle();
            measured(echo(connection)).await;
        }),
    }
}

/// How long this side looks again before it sleeps.
fn spin(means: Means) -> Duration {
    if means == Means::Spinning { SPIN } else { Duration::ZERO }
}

async fn call_ours<R: Runtime>(seat: Seat, spin: Duration, calls: usize) -> Round {
    let options = Client::<R, Packet, Packet>::options().codec(Postcard).spin(spin);
    let client = options.open(&seat.pair).await.expect("a pair");
    seat.settle();
    clock(client, calls).await
}

async fn serve_ours<R: Runtime>(seat: Seat, spin: Duration) {
    let options = Server::<R, Packet, Packet>::options().codec(Postcard).spin(spin);
    let options = options.end_of_writers(EndOfWriters::End);
    let mut server = options.open(&seat.pair).await.expect("a pair");
    seat.settle();
    let echo = |packet, _| ready(Ok::<_, String>(packet));
    measured(async { server.serve(echo).await.expect("it ends with its client") }).await;
}
