//! One suite of scenarios, played on every front end.

mod awaited;
mod blocking;
mod calls;
mod cancels;
mod closings;
mod counters;
mod notifications;
mod one_way;
mod raw;
mod retries;
mod runtimes;
mod streams;

use std::fmt::Debug;
use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::resume_unwind;
use std::path::Path;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use fifowire::awaited::{Call, Download, FifoReader, FifoWriter, Payload, ReplySink};
use fifowire::codec::Bytes;
use fifowire::{
    EndOfWriters, Error, ErrorKind, FifoReaderStats, FifoWriterStats, IdempotencyKey, LinkStats,
    Pair, Pong, Probe, ReceiverStats, Result, SenderStats,
};
use futures_util::future::{join, join_all};
use futures_util::stream::StreamExt as _;

use crate::support::log::current_span;
use crate::support::time::until;
pub(crate) use awaited::{AsyncIo, Awaited, TokioCurrent, TokioMulti};
pub(crate) use blocking::Blocking;
pub(crate) use runtimes::{BlockOn, Bytewise, CurrentThread, MultiThread, Smol};
use streams::{Order, weight};

/// What the scenarios need of a front end. Each party of a scenario runs on a thread of its own.
pub(crate) trait Front: 'static {
    type Sender: Send + Debug;
    type Receiver: Send + Debug;
    type Client: Clone + Send + Sync + Debug;
    type Server: Send + Debug;
    type Responder: Send + Debug;
    type Reader: Send + Debug + AsFd + TryFrom<OwnedFd, Error = Error>;
    type Writer: Send + Debug + AsFd + TryFrom<OwnedFd, Error = Error>;

    /// Starts what lives as long as the process.
    fn prepare();

    fn block_on<T>(future: impl Future<Output = T>) -> T;
    /// Does both at the same time: on two threads, or in one task.
    fn both<A, B: Send>(
        here: impl AsyncFnOnce() -> A,
        beside: impl AsyncFnOnce() -> B + Send,
    ) -> impl Future<Output = (A, B)>;

    /// Plays so many parties at the same time, on one client if they like: threads, or tasks.
    fn together<P: Future<Output = ()>>(
        parties: usize,
        party: impl Fn(usize) -> P + Sync,
    ) -> impl Future<Output = ()>;

    fn sender(path: &Path, timeout: Duration) -> impl Future<Output = Result<Self::Sender>>;
    fn send(sender: &mut Self::Sender, message: &[u8]) -> impl Future<Output = Result<()>>;
    fn feed(sender: &mut Self::Sender, message: &[u8]) -> impl Future<Output = Result<()>>;
    fn flush(sender: &mut Self::Sender) -> impl Future<Output = Result<()>>;
    fn close(sender: &mut Self::Sender) -> impl Future<Output = Result<()>>;
    fn sender_stats(sender: &Self::Sender) -> SenderStats;

    fn receiver(path: &Path, end: EndOfWriters) -> impl Future<Output = Result<Self::Receiver>>;
    fn recv(
        receiver: &mut Self::Receiver,
        timeout: Duration,
    ) -> impl Future<Output = Result<Vec<u8>>>;
    fn receiver_stats(receiver: &Self::Receiver) -> ReceiverStats;

    fn client(pair: &Pair, capacity: usize) -> impl Future<Output = Result<Self::Client>>;
    fn call(
        client: &Self::Client,
        message: &[u8],
        timeout: Duration,
    ) -> impl Future<Output = Result<Vec<u8>>>;
    fn notify(
        client: &Self::Client,
        message: &[u8],
        timeout: Duration,
    ) -> impl Future<Output = Result<()>>;
    /// A call that may be put again, or that has a key.
    fn repeat(
        client: &Self::Client,
        message: &[u8],
        how: Repeat,
        timeout: Duration,
    ) -> impl Future<Output = Result<Vec<u8>>>;
    /// Begins a call with this key, and closes the connection at once when `until` has what it
    /// wants.
    fn begin_and_die<T>(
        client: Self::Client,
        message: &[u8],
        key: u128,
        until: impl AsyncFnOnce() -> T,
    ) -> impl Future<Output = T>;
    /// A client whose requests and replies have this many bytes at most.
    fn modest_client(pair: &Pair, most: usize) -> impl Future<Output = Result<Self::Client>>;
    /// Begins the same call as often as that, and waits for all once `begun` returns.
    fn begin_all(
        client: &Self::Client,
        message: &[u8],
        calls: usize,
        begun: impl FnOnce(),
    ) -> impl Future<Output = Vec<Result<Vec<u8>>>>;
    /// A client that waits this long for an acknowledgement.
    fn canceller(pair: &Pair, timeout: Duration) -> impl Future<Output = Result<Self::Client>>;
    /// Begins a call, cancels it once `until` returns, and answers what came of it.
    fn begin_and_cancel(
        client: &Self::Client,
        message: &[u8],
        until: impl AsyncFnOnce(),
    ) -> impl Future<Output = Result<Vec<u8>>>;
    fn ping(client: &Self::Client, timeout: Duration) -> impl Future<Output = Result<Pong>>;
    fn in_flight(client: &Self::Client) -> usize;
    fn client_stats(client: &Self::Client) -> LinkStats;
    fn probe_client(client: &Self::Client) -> Probe;
    fn close_client(client: &Self::Client, drain: Duration) -> impl Future<Output = bool>;
    /// Begins a call, closes the connection at once when `until` returns, and answers when.
    fn begin_and_abort(
        client: &Self::Client,
        message: &[u8],
        until: impl FnOnce(),
    ) -> impl Future<Output = Instant>;

    /// Makes a call that is answered by many replies, takes so many of them, and drops the rest.
    fn take(
        client: &Self::Client,
        message: &[u8],
        timeout: Duration,
        most: usize,
    ) -> impl Future<Output = Vec<Result<Vec<u8>>>>;
    /// Makes a call that is answered by bytes, and reads them all.
    fn download(
        client: &Self::Client,
        message: &[u8],
        timeout: Duration,
    ) -> impl Future<Output = io::Result<Vec<u8>>>;
    /// Makes a call that brings these bytes.
    fn upload(
        client: &Self::Client,
        message: &[u8],
        timeout: Duration,
        bytes: &[u8],
    ) -> impl Future<Output = Result<Vec<u8>>>;

    fn server(pair: &Pair, capacity: usize) -> impl Future<Output = Result<Self::Server>>;
    /// Serves streams of replies, as [`streams::Order`] has it, until it is told to stop.
    fn stream_out(server: &mut Self::Server) -> impl Future<Output = Result<()>>;
    /// Answers each payload with its length and a sum over it, until it is told to stop; `enough`
    /// is answered before it is read.
    fn weigh(server: &mut Self::Server) -> impl Future<Output = Result<()>>;
    /// A server that gives up a client which has not read for so long.
    fn strict_server(pair: &Pair, stall: Duration) -> impl Future<Output = Result<Self::Server>>;
    fn next(
        server: &mut Self::Server,
        timeout: Duration,
    ) -> impl Future<Output = Result<(Vec<u8>, Self::Responder)>>;
    fn close_server(server: Self::Server, drain: Duration) -> impl Future<Output = bool>;
    fn abort_server(server: Self::Server);
    /// A server that knows so many keys at a time.
    fn forgetful_server(pair: &Pair, keys: usize) -> impl Future<Output = Result<Self::Server>>;
    fn key(responder: &Self::Responder) -> Option<IdempotencyKey>;
    fn server_stats(server: &Self::Server) -> LinkStats;
    fn probe_server(server: &Self::Server) -> Probe;
    fn answer(responder: Self::Responder, message: &[u8]) -> impl Future<Output = Result<()>>;
    /// Serves as [`obey`](Self::obey); at "wait" it tells `started`, and waits until nobody wants
    /// the answer any more.
    fn linger(
        server: &mut Self::Server,
        started: mpsc::Sender<()>,
    ) -> impl Future<Output = Result<()>>;
    /// Serves as [`linger`](Self::linger), and others while it waits.
    fn hold(server: &mut Self::Server) -> impl Future<Output = Result<()>>;
    /// Serves until a request says "stop": echoes, fails at "fail", panics at "panic", and answers
    /// "as long as 9" with nine bytes.
    fn obey(server: &mut Self::Server) -> impl Future<Output = Result<()>>;

    /// A reader of bytes, each of whose reads may take this long.
    fn reader(
        path: &Path,
        end: EndOfWriters,
        timeout: Duration,
    ) -> impl Future<Output = Result<Self::Reader>>;
    fn read(
        reader: &mut Self::Reader,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>>;
    fn reader_stats(reader: &Self::Reader) -> FifoReaderStats;

    /// A writer of bytes that may stall for so long.
    fn writer(path: &Path, stall: Duration) -> impl Future<Output = Result<Self::Writer>>;
    fn write_all(writer: &mut Self::Writer, bytes: &[u8]) -> impl Future<Output = io::Result<()>>;
    fn writer_stats(writer: &Self::Writer) -> FifoWriterStats;
}

/// How a call is made again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Repeat {
    Idempotent,
    AtMostOnce,
    /// By whoever has this key, and not by the client.
    Key(u128),
}

/// The largest message of any scenario, and the limit of every client here.
pub(crate) const LARGEST: usize = 64 << 20;

/// What a server that obeys does with a request; `None` is for stop.
fn obeyed(message: &[u8]) -> Option<Result<Vec<u8>, String>> {
    if let Some(length) = message.strip_prefix(b"as long as ") {
        let length = std::str::from_utf8(length).unwrap().parse().unwrap();
        return Some(Ok(vec![b'x'; length]));
    }
    match message {
        b"stop" => None,
        b"fail" => Some(Err("I would rather not".to_owned())),
        b"panic" => panic!("I was told to"),
        b"in which span?" => Some(Ok(current_span().unwrap_or("none").into())),
        other => Some(Ok(other.to_vec())),
    }
}

/// Plays so many parties, each on a thread of its own.
fn on_threads(parties: usize, party: impl Fn(usize) + Sync) {
    thread::scope(|threads| {
        for at in 0..parties {
            let party = &party;
            threads.spawn(move || party(at));
        }
    });
}
