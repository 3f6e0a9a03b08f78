//! Client and server of a round, by every means that is compared.

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
use super::rounds::Round;
use super::shared::executor::Executor;
use super::sides::{Means, Side};
use super::tokio_by_hand;

pub(crate) const ROLE: &str = "awaited-server";

/// The pair that both meet at; the peer takes its FIFOs, too.
pub(crate) const NAME: &str = "bench";

/// Where the client listens, for the peer that wants a socket.
pub(crate) const SOCKET_NAME: &str = "socket";

/// How long the sides that spin look again.
const SPIN: Duration = Duration::from_micros(50);

/// Starts the process that gives every packet back.
pub(crate) fn start_server(side: Side, directory: &Path, placement: Placement) -> Worker {
    Worker::start(ROLE, directory, &[side.to_argument(), placement.to_argument()])
}

/// One of the two processes: where it meets the other, and where it runs from then on.
pub(crate) struct Seat {
    pub(crate) pair: Pair,
    pub(crate) placement: Placement,
    pub(crate) cores: Cores,
    pub(crate) nth: usize,
}

impl Seat {
    /// Once this process's ends are open.
    fn settle(&self) {
        self.placement.settle(&self.cores, self.nth);
    }
}

/// The client: makes its calls, and leaves.
pub(crate) fn call(side: Side, seat: Seat, listener: UnixListener, calls: usize) -> Round {
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
fn spin(means: Means) -> Option<Duration> {
    (means == Means::Spinning).then_some(SPIN)
}

async fn call_ours<R: Runtime>(seat: Seat, spin: Option<Duration>, calls: usize) -> Round {
    let options = Client::<R, Packet, Packet>::options().codec(Postcard);
    let options = match spin {
        Some(limit) => options.spin(limit),
        None => options,
    };
    let client = options.open(&seat.pair).await.expect("a pair");
    seat.settle();
    clock(client, calls).await
}

async fn serve_ours<R: Runtime>(seat: Seat, spin: Option<Duration>) {
    let options = Server::<R, Packet, Packet>::options().codec(Postcard);
    let options = match spin {
        Some(limit) => options.spin(limit),
        None => options,
    };
    let options = options.end_of_writers(EndOfWriters::End);
    let mut server = options.open(&seat.pair).await.expect("a pair");
    seat.settle();
    let echo = |packet, _| ready(Ok::<_, String>(packet));
    measured(async { server.serve(echo).await.expect("it ends with its client") }).await;
}
