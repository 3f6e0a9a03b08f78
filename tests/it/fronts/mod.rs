//! One suite of scenarios, played on every front end.

mod calls;
mod cancels;
mod closings;
mod counters;
mod notifications;
mod one_way;
mod raw;
mod retries;
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
    /// Begins a call with this key, and closes the connection at once when `until` has what it wants.
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
    /// Serves as [`obey`](Self::obey); at "wait" it tells `started`, and waits until nobody wants the
    /// answer any more.
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

pub(crate) struct Blocking;

impl Front for Blocking {
    type Sender = fifowire::Sender<Vec<u8>, Bytes>;
    type Receiver = fifowire::Receiver<Vec<u8>, Bytes>;
    type Client = std::sync::Arc<fifowire::Client<Vec<u8>, Vec<u8>, Bytes>>;
    type Server = fifowire::Server<Vec<u8>, Vec<u8>, Bytes>;
    type Responder = fifowire::Responder<Vec<u8>, Bytes>;
    type Reader = fifowire::FifoReader;
    type Writer = fifowire::FifoWriter;

    fn prepare() {}

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(future).poll(&mut cx) {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("it blocks, and is never pending"),
        }
    }

    async fn together<P: Future<Output = ()>>(parties: usize, party: impl Fn(usize) -> P + Sync) {
        on_threads(parties, |at| Self::block_on(party(at)));
    }

    async fn both<A, B: Send>(
        here: impl AsyncFnOnce() -> A,
        beside: impl AsyncFnOnce() -> B + Send,
    ) -> (A, B) {
        thread::scope(|scope| {
            let beside = scope.spawn(|| Self::block_on(beside()));
            let here = Self::block_on(here());
            (here, beside.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })
    }

    async fn sender(path: &Path, timeout: Duration) -> Result<Self::Sender> {
        let options = fifowire::Sender::options().codec(Bytes).timeout(timeout);
        options.open_timeout(timeout).open(path)
    }

    async fn send(sender: &mut Self::Sender, message: &[u8]) -> Result<()> {
        sender.send(&message.to_vec())
    }

    async fn feed(sender: &mut Self::Sender, message: &[u8]) -> Result<()> {
        sender.feed(&message.to_vec())
    }

    async fn flush(sender: &mut Self::Sender) -> Result<()> {
        sender.flush()
    }

    async fn close(sender: &mut Self::Sender) -> Result<()> {
        sender.close()
    }

    fn sender_stats(sender: &Self::Sender) -> SenderStats {
        sender.stats()
    }

    async fn receiver(path: &Path, end: EndOfWriters) -> Result<Self::Receiver> {
        fifowire::Receiver::options().codec(Bytes).end_of_writers(end).open(path)
    }

    async fn recv(receiver: &mut Self::Receiver, timeout: Duration) -> Result<Vec<u8>> {
        receiver.recv_timeout(timeout)
    }

    fn receiver_stats(receiver: &Self::Receiver) -> ReceiverStats {
        receiver.stats()
    }

    async fn client(pair: &Pair, capacity: usize) -> Result<Self::Client> {
        let options = fifowire::Client::options().codec(Bytes).capacity(capacity);
        options.max_message(LARGEST).open(pair).map(Into::into)
    }

    async fn call(client: &Self::Client, message: &[u8], timeout: Duration) -> Result<Vec<u8>> {
        client.request(&message.to_vec()).timeout(timeout).call()
    }

    async fn notify(client: &Self::Client, message: &[u8], timeout: Duration) -> Result<()> {
        client.request(&message.to_vec()).timeout(timeout).notify()
    }

    async fn repeat(
        client: &Self::Client,
        message: &[u8],
        how: Repeat,
        timeout: Duration,
    ) -> Result<Vec<u8>> {
        let message = message.to_vec();
        let call = client.request(&message).timeout(timeout);
        let call = match how {
            Repeat::Idempotent => call.idempotent(),
            Repeat::AtMostOnce => call.at_most_once(),
            Repeat::Key(key) => call.key(key),
        };
        call.call()
    }

    async fn begin_and_die<T>(
        client: Self::Client,
        message: &[u8],
        key: u128,
        until: impl AsyncFnOnce() -> T,
    ) -> T {
        let message = message.to_vec();
        let call = client.request(&message).key(key).begin().unwrap();
        let wanted = until().await;
        client.abort();
        assert_eq!(call.wait().unwrap_err().kind(), ErrorKind::Closed);
        wanted
    }

    fn abort_server(server: Self::Server) {
        server.abort();
    }

    async fn forgetful_server(pair: &Pair, keys: usize) -> Result<Self::Server> {
        fifowire::Server::options().codec(Bytes).max_keys(keys).open(pair)
    }

    fn key(responder: &Self::Responder) -> Option<IdempotencyKey> {
        responder.idempotency_key()
    }

    async fn modest_client(pair: &Pair, most: usize) -> Result<Self::Client> {
        let options = fifowire::Client::options().codec(Bytes);
        options.max_message(most).open(pair).map(Into::into)
    }

    async fn begin_all(
        client: &Self::Client,
        message: &[u8],
        calls: usize,
        begun: impl FnOnce(),
    ) -> Vec<Result<Vec<u8>>> {
        let message = message.to_vec();
        let begin = |_| client.request(&message).begin().unwrap();
        let calls: Vec<_> = (0..calls).map(begin).collect();
        begun();
        calls.into_iter().map(|call| call.wait()).collect()
    }

    async fn canceller(pair: &Pair, timeout: Duration) -> Result<Self::Client> {
        let options = fifowire::Client::options().codec(Bytes).cancel_timeout(timeout);
        options.open(pair).map(Into::into)
    }

    async fn begin_and_cancel(
        client: &Self::Client,
        message: &[u8],
        until: impl AsyncFnOnce(),
    ) -> Result<Vec<u8>> {
        let call = client.request(&message.to_vec()).begin()?;
        until().await;
        call.cancel()
    }

    async fn ping(client: &Self::Client, timeout: Duration) -> Result<Pong> {
        client.ping(timeout)
    }

    async fn take(
        client: &Self::Client,
        message: &[u8],
        timeout: Duration,
        most: usize,
    ) -> Vec<Result<Vec<u8>>> {
        match client.request(&message.to_vec()).timeout(timeout).stream() {
            Ok(replies) => replies.take(most).collect(),
            Err(error) => vec![Err(error)],
        }
    }

    async fn download(
        client: &Self::Client,
        message: &[u8],
        timeout: Duration,
    ) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut download = client.request(&message.to_vec()).timeout(timeout).download()?;
        download.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    async fn upload(
        client: &Self::Client,
        message: &[u8],
        timeout: Duration,
        bytes: &[u8],
    ) -> Result<Vec<u8>> {
        client.request(&message.to_vec()).timeout(timeout).upload_from(bytes)
    }

    async fn stream_out(server: &mut Self::Server) -> Result<()> {
        server.serve_streams(|message: Vec<u8>, replies, context| {
            let order = Order::parse(&message);
            for item in order.items() {
                replies.send(&item).map_err(|error| error.to_string())?;
            }
            replies.writer().write_all(&order.bytes()).map_err(|error| error.to_string())?;
            if order.stops {
                context.stop();
            }
            order.end()
        })
    }

    async fn weigh(server: &mut Self::Server) -> Result<()> {
        server.serve(|message: Vec<u8>, context| {
            let mut bytes = Vec::new();
            match &message[..] {
                b"stop" => context.stop(),
                b"enough" => {}
                b"refuse" => return Err("no room on the disk".to_owned()),
                _ => drop(context.payload().read_to_end(&mut bytes).map_err(|e| e.to_string())?),
            }
            Ok(weight(&bytes))
        })
    }

    fn in_flight(client: &Self::Client) -> usize {
        client.in_flight()
    }

    fn client_stats(client: &Self::Client) -> LinkStats {
        client.stats()
    }

    fn probe_client(client: &Self::Client) -> Probe {
        client.probe()
    }

    async fn close_client(client: &Self::Client, drain: Duration) -> bool {
        client.close(drain)
    }

    async fn begin_and_abort(
        client: &Self::Client,
        message: &[u8],
        until: impl FnOnce(),
    ) -> Instant {
        let call = client.request(&message.to_vec()).begin().unwrap();
        until();
        let aborted = Instant::now();
        client.abort();
        assert_eq!(call.wait().unwrap_err().kind(), ErrorKind::Closed);
        aborted
    }

    async fn close_server(server: Self::Server, drain: Duration) -> bool {
        server.close(drain)
    }

    fn server_stats(server: &Self::Server) -> LinkStats {
        server.stats()
    }

    fn probe_server(server: &Self::Server) -> Probe {
        server.probe()
    }

    async fn answer(responder: Self::Responder, message: &[u8]) -> Result<()> {
        responder.send(&message.to_vec())
    }

    async fn server(pair: &Pair, capacity: usize) -> Result<Self::Server> {
        fifowire::Server::options().codec(Bytes).capacity(capacity).open(pair)
    }

    async fn strict_server(pair: &Pair, stall: Duration) -> Result<Self::Server> {
        fifowire::Server::options().codec(Bytes).stall_timeout(stall).open(pair)
    }

    async fn next(
        server: &mut Self::Server,
        timeout: Duration,
    ) -> Result<(Vec<u8>, Self::Responder)> {
        server.recv_timeout(timeout).map(|request| (request.value, request.responder))
    }

    async fn linger(server: &mut Self::Server, started: mpsc::Sender<()>) -> Result<()> {
        server.serve(|message, context| {
            if message == b"wait" {
                let _ = started.send(());
                until("nobody wants it", || context.is_cancelled());
            }
            obeyed(&message).unwrap_or_else(|| {
                context.stop();
                Ok(message)
            })
        })
    }

    async fn hold(server: &mut Self::Server) -> Result<()> {
        let mut held = Vec::new();
        for request in server.requests() {
            let fifowire::Request { value, responder } = request?;
            held.retain(|responder: &Self::Responder| !responder.is_cancelled());
            match &*value {
                b"wait" => held.push(responder),
                b"stop" => return responder.send(&value),
                // Whoever asked may have gone.
                _ => drop(responder.send(&value)),
            }
        }
        Ok(())
    }

    async fn obey(server: &mut Self::Server) -> Result<()> {
        server.serve(|message, context| {
            obeyed(&message).unwrap_or_else(|| {
                context.stop();
                Ok(message)
            })
        })
    }

    async fn reader(path: &Path, end: EndOfWriters, timeout: Duration) -> Result<Self::Reader> {
        let options = fifowire::FifoReader::options().end_of_writers(end);
        options.timeout(timeout).open_timeout(timeout).open(path)
    }

    async fn read(reader: &mut Self::Reader, buffer: &mut [u8]) -> io::Result<usize> {
        io::Read::read(reader, buffer)
    }

    fn reader_stats(reader: &Self::Reader) -> FifoReaderStats {
        reader.stats()
    }

    async fn writer(path: &Path, stall: Duration) -> Result<Self::Writer> {
        fifowire::FifoWriter::options().stall_timeout(stall).open_timeout(stall).open(path)
    }

    fn writer_stats(writer: &Self::Writer) -> FifoWriterStats {
        writer.stats()
    }

    async fn write_all(writer: &mut Self::Writer, bytes: &[u8]) -> io::Result<()> {
        io::Write::write_all(writer, bytes)
    }
}

/// On a runtime `R`, whose futures `B` runs.
pub(crate) struct Awaited<R, B>(std::marker::PhantomData<(R, B)>);

/// How futures are run.
pub(crate) trait BlockOn: 'static {
    fn prepare() {}

    fn block_on<T>(future: impl Future<Output = T>) -> T;

    /// Plays so many parties: tasks of one thread, unless told otherwise.
    fn together<P: Future<Output = ()>>(
        parties: usize,
        party: impl Fn(usize) -> P + Sync,
    ) -> impl Future<Output = ()> {
        async move { drop(join_all((0..parties).map(party)).await) }
    }
}

pub(crate) enum CurrentThread {}
pub(crate) enum MultiThread {}
pub(crate) enum Smol {}

impl BlockOn for CurrentThread {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }
}

impl BlockOn for MultiThread {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2).enable_all().build().unwrap().block_on(future)
    }

    async fn together<P: Future<Output = ()>>(parties: usize, party: impl Fn(usize) -> P + Sync) {
        let runtime = tokio::runtime::Handle::current();
        on_threads(parties, |at| runtime.block_on(party(at)));
    }
}

impl BlockOn for Smol {
    fn prepare() {
        // Its reactor is a thread of its own, from the first wait to the end of the process. A timer
        // that has fired before it is first looked at waits for nothing.
        Self::block_on(async {
            let mut far = pin!(async_io::Timer::after(Duration::from_secs(3600)));
            assert!(futures_util::poll!(far.as_mut()).is_pending());
            async_io::Timer::after(Duration::from_millis(1)).await;
        });
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        async_io::block_on(future)
    }
}

pub(crate) type TokioCurrent = Awaited<fifowire::tokio::Tokio, CurrentThread>;
pub(crate) type TokioMulti = Awaited<fifowire::tokio::Tokio, MultiThread>;
pub(crate) type AsyncIo = Awaited<fifowire::async_io::AsyncIo, Smol>;

impl<R: Bytewise, B: BlockOn> Front for Awaited<R, B> {
    type Sender = fifowire::awaited::Sender<R, Vec<u8>, Bytes>;
    type Receiver = fifowire::awaited::Receiver<R, Vec<u8>, Bytes>;
    type Client = fifowire::awaited::Client<R, Vec<u8>, Vec<u8>, Bytes>;
    type Server = fifowire::awaited::Server<R, Vec<u8>, Vec<u8>, Bytes>;
    type Responder = fifowire::awaited::Responder<R, Vec<u8>, Bytes>;
    type Reader = fifowire::awaited::FifoReader<R>;
    type Writer = fifowire::awaited::FifoWriter<R>;

    fn prepare() {
        B::prepare();
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        B::block_on(future)
    }

    async fn together<P: Future<Output = ()>>(parties: usize, party: impl Fn(usize) -> P + Sync) {
        B::together(parties, party).await;
    }

    async fn both<A, Beside: Send>(
        here: impl AsyncFnOnce() -> A,
        beside: impl AsyncFnOnce() -> Beside + Send,
    ) -> (A, Beside) {
        join(here(), beside()).await
    }

    async fn sender(path: &Path, timeout: Duration) -> Result<Self::Sender> {
        let options = fifowire::awaited::Sender::<R, _>::options().codec(Bytes).timeout(timeout);
        options.open_timeout(timeout).open(path).await
    }

    async fn send(sender: &mut Self::Sender, message: &[u8]) -> Result<()> {
        sender.send(&message.to_vec()).await
    }

    async fn feed(sender: &mut Self::Sender, message: &[u8]) -> Result<()> {
        sender.feed(&message.to_vec()).await
    }

    async fn flush(sender: &mut Self::Sender) -> Result<()> {
        sender.flush().await
    }

    async fn close(sender: &mut Self::Sender) -> Result<()> {
        sender.close().await
    }

    fn sender_stats(sender: &Self::Sender) -> SenderStats {
        sender.stats()
    }

    async fn receiver(path: &Path, end: EndOfWriters) -> Result<Self::Receiver> {
        let options = fifowire::awaited::Receiver::<R, _>::options().codec(Bytes);
        options.end_of_writers(end).open(path).await
    }

    async fn recv(receiver: &mut Self::Receiver, timeout: Duration) -> Result<Vec<u8>> {
        receiver.recv_timeout(timeout).await
    }

    fn receiver_stats(receiver: &Self::Receiver) -> ReceiverStats {
        receiver.stats()
    }

    async fn client(pair: &Pair, capacity: usize) -> Result<Self::Client> {
        let options = fifowire::awaited::Client::<R, _, _>::options().codec(Bytes);
        options.capacity(capacity).max_message(LARGEST).open(pair).await
    }

    async fn call(client: &Self::Client, message: &[u8], timeout: Duration) -> Result<Vec<u8>> {
        client.request(&message.to_vec()).timeout(timeout).call().await
    }

    async fn notify(client: &Self::Client, message: &[u8], timeout: Duration) -> Result<()> {
        client.request(&message.to_vec()).timeout(timeout).notify().await
    }

    async fn repeat(
        client: &Self::Client,
        message: &[u8],
        how: Repeat,
        timeout: Duration,
    ) -> Result<Vec<u8>> {
        let message = message.to_vec();
        let call = client.request(&message).timeout(timeout);
        let call = match how {
            Repeat::Idempotent => call.idempotent(),
            Repeat::AtMostOnce => call.at_most_once(),
            Repeat::Key(key) => call.key(key),
        };
        call.call().await
    }

    async fn begin_and_die<T>(
        client: Self::Client,
        message: &[u8],
        key: u128,
        until: impl AsyncFnOnce() -> T,
    ) -> T {
        let message = message.to_vec();
        let call = client.request(&message).key(key).begin().await.unwrap();
        let wanted = until().await;
        client.abort();
        assert_eq!(call.wait().await.unwrap_err().kind(), ErrorKind::Closed);
        wanted
    }

    fn abort_server(server: Self::Server) {
        server.abort();
    }

    async fn forgetful_server(pair: &Pair, keys: usize) -> Result<Self::Server> {
        fifowire::awaited::Server::<R, _, _>::options().codec(Bytes).max_keys(keys).open(pair).await
    }

    fn key(responder: &Self::Responder) -> Option<IdempotencyKey> {
        responder.idempotency_key()
    }

    async fn modest_client(pair: &Pair, most: usize) -> Result<Self::Client> {
        let options = fifowire::awaited::Client::<R, _, _>::options().codec(Bytes);
        options.max_message(most).open(pair).await
    }

    async fn begin_all(
        client: &Self::Client,
        message: &[u8],
        calls: usize,
        begun: impl FnOnce(),
    ) -> Vec<Result<Vec<u8>>> {
        let (message, mut in_flight, mut ends) = (message.to_vec(), Vec::new(), Vec::new());
        for _ in 0..calls {
            in_flight.push(client.request(&message).begin().await.unwrap());
        }
        begun();
        for call in in_flight {
            ends.push(call.wait().await);
        }
        ends
    }

    async fn canceller(pair: &Pair, timeout: Duration) -> Result<Self::Client> {
        let options = fifowire::awaited::Client::<R, _, _>::options().codec(Bytes);
        options.cancel_timeout(timeout).open(pair).await
    }

    async fn begin_and_cancel(
        client: &Self::Client,
        message: &[u8],
        until: impl AsyncFnOnce(),
    ) -> Result<Vec<u8>> {
        let call = client.request(&message.to_vec()).begin().await?;
        until().await;
        call.cancel().await
    }

    async fn ping(client: &Self::Client, timeout: Duration) -> Result<Pong> {
        client.ping(timeout).await
    }

    async fn take(
        client: &Self::Client,
        message: &[u8],
        timeout: Duration,
        most: usize,
    ) -> Vec<Result<Vec<u8>>> {
        match client.request(&message.to_vec()).timeout(timeout).stream().await {
            Ok(replies) => replies.take(most).collect().await,
            Err(error) => vec![Err(error)],
        }
    }

    async fn download(
        client: &Self::Client,
        message: &[u8],
        timeout: Duration,
    ) -> io::Result<Vec<u8>> {
        let download = client.request(&message.to_vec()).timeout(timeout).download().await?;
        R::read_all(download).await
    }

    async fn upload(
        client: &Self::Client,
        message: &[u8],
        timeout: Duration,
        bytes: &[u8],
    ) -> Result<Vec<u8>> {
        R::upload(client.request(&message.to_vec()).timeout(timeout), bytes).await
    }

    async fn stream_out(server: &mut Self::Server) -> Result<()> {
        server
            .serve_streams(|message: Vec<u8>, mut replies, context| async move {
                let order = Order::parse(&message);
                for item in order.items() {
                    replies.send(&item).await.map_err(|error| error.to_string())?;
                }
                let written = R::reply_bytes(&mut replies, &order.bytes()).await;
                written.map_err(|error| error.to_string())?;
                if order.stops {
                    context.stop();
                }
                order.end()
            })
            .await
    }

    async fn weigh(server: &mut Self::Server) -> Result<()> {
        server
            .serve(|message: Vec<u8>, context| async move {
                let mut bytes = Vec::new();
                match &message[..] {
                    b"stop" => context.stop(),
                    b"enough" => {}
                    b"refuse" => return Err("no room on the disk".to_owned()),
                    _ => {
                        let read = R::read_payload(context.payload()).await;
                        bytes = read.map_err(|error| error.to_string())?;
                    }
                }
                Ok(weight(&bytes))
            })
            .await
    }

    fn in_flight(client: &Self::Client) -> usize {
        client.in_flight()
    }

    fn client_stats(client: &Self::Client) -> LinkStats {
        client.stats()
    }

    fn probe_client(client: &Self::Client) -> Probe {
        client.probe()
    }

    async fn close_client(client: &Self::Client, drain: Duration) -> bool {
        client.close(drain).await
    }

    async fn begin_and_abort(
        client: &Self::Client,
        message: &[u8],
        until: impl FnOnce(),
    ) -> Instant {
        let call = client.request(&message.to_vec()).begin().await.unwrap();
        until();
        let aborted = Instant::now();
        client.abort();
        assert_eq!(call.wait().await.unwrap_err().kind(), ErrorKind::Closed);
        aborted
    }

    async fn close_server(server: Self::Server, drain: Duration) -> bool {
        server.close(drain).await
    }

    fn server_stats(server: &Self::Server) -> LinkStats {
        server.stats()
    }

    fn probe_server(server: &Self::Server) -> Probe {
        server.probe()
    }

    async fn answer(responder: Self::Responder, message: &[u8]) -> Result<()> {
        responder.send(&message.to_vec()).await
    }

    async fn server(pair: &Pair, capacity: usize) -> Result<Self::Server> {
        let options = fifowire::awaited::Server::<R, _, _>::options().codec(Bytes);
        options.capacity(capacity).open(pair).await
    }

    async fn strict_server(pair: &Pair, stall: Duration) -> Result<Self::Server> {
        let options = fifowire::awaited::Server::<R, _, _>::options().codec(Bytes);
        options.stall_timeout(stall).open(pair).await
    }

    async fn next(
        server: &mut Self::Server,
        timeout: Duration,
    ) -> Result<(Vec<u8>, Self::Responder)> {
        server.recv_timeout(timeout).await.map(|request| (request.value, request.responder))
    }

    async fn linger(server: &mut Self::Server, started: mpsc::Sender<()>) -> Result<()> {
        let handler = |message: Vec<u8>, context: fifowire::awaited::Context| {
            let started = started.clone();
            async move {
                if message == b"wait" {
                    let _ = started.send(());
                    context.cancelled().await;
                    assert!(context.is_cancelled());
                }
                obeyed(&message).unwrap_or_else(|| {
                    context.stop();
                    Ok(message)
                })
            }
        };
        server.serve(handler).await
    }

    async fn hold(server: &mut Self::Server) -> Result<()> {
        Self::linger(server, mpsc::channel().0).await
    }

    async fn obey(server: &mut Self::Server) -> Result<()> {
        server
            .serve(|message, context| async move {
                obeyed(&message).unwrap_or_else(|| {
                    context.stop();
                    Ok(message)
                })
            })
            .await
    }

    async fn reader(path: &Path, end: EndOfWriters, timeout: Duration) -> Result<Self::Reader> {
        let options = fifowire::awaited::FifoReader::<R>::options().end_of_writers(end);
        options.timeout(timeout).open_timeout(timeout).open(path).await
    }

    async fn read(reader: &mut Self::Reader, buffer: &mut [u8]) -> io::Result<usize> {
        R::read(reader, buffer).await
    }

    fn reader_stats(reader: &Self::Reader) -> FifoReaderStats {
        reader.stats()
    }

    async fn writer(path: &Path, stall: Duration) -> Result<Self::Writer> {
        let options = fifowire::awaited::FifoWriter::<R>::options().stall_timeout(stall);
        options.open_timeout(stall).open(path).await
    }

    fn writer_stats(writer: &Self::Writer) -> FifoWriterStats {
        writer.stats()
    }

    async fn write_all(writer: &mut Self::Writer, bytes: &[u8]) -> io::Result<()> {
        R::write_all(writer, bytes).await
    }
}

/// A runtime with its own traits for bytes.
pub(crate) trait Bytewise: fifowire::awaited::Runtime {
    fn read(
        reader: &mut FifoReader<Self>,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>>;

    fn write(
        writer: &mut FifoWriter<Self>,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<usize>>;

    fn write_all(
        writer: &mut FifoWriter<Self>,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<()>>;

    fn read_all(download: Download<Self>) -> impl Future<Output = io::Result<Vec<u8>>>;

    fn read_payload(payload: Payload) -> impl Future<Output = io::Result<Vec<u8>>>;

    fn reply_bytes(
        replies: &mut ReplySink<Self, Vec<u8>, Bytes>,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<()>>;

    fn upload(
        call: Call<'_, '_, Self, Vec<u8>, Vec<u8>, Bytes>,
        bytes: &[u8],
    ) -> impl Future<Output = Result<Vec<u8>>>;
}

impl Bytewise for fifowire::tokio::Tokio {
    async fn read(reader: &mut FifoReader<Self>, buffer: &mut [u8]) -> io::Result<usize> {
        tokio::io::AsyncReadExt::read(reader, buffer).await
    }

    async fn write(writer: &mut FifoWriter<Self>, bytes: &[u8]) -> io::Result<usize> {
        tokio::io::AsyncWriteExt::write(writer, bytes).await
    }

    async fn write_all(writer: &mut FifoWriter<Self>, bytes: &[u8]) -> io::Result<()> {
        tokio::io::AsyncWriteExt::write_all(writer, bytes).await
    }

    async fn read_all(mut download: Download<Self>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut download, &mut bytes).await?;
        Ok(bytes)
    }

    async fn read_payload(mut payload: Payload) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut payload, &mut bytes).await?;
        Ok(bytes)
    }

    async fn reply_bytes(
        replies: &mut ReplySink<Self, Vec<u8>, Bytes>,
        bytes: &[u8],
    ) -> io::Result<()> {
        let mut writer = replies.writer();
        tokio::io::AsyncWriteExt::write_all(&mut writer, bytes).await?;
        tokio::io::AsyncWriteExt::flush(&mut writer).await
    }

    async fn upload(
        call: Call<'_, '_, Self, Vec<u8>, Vec<u8>, Bytes>,
        bytes: &[u8],
    ) -> Result<Vec<u8>> {
        call.upload_from(bytes).await
    }
}

impl Bytewise for fifowire::async_io::AsyncIo {
    async fn read(reader: &mut FifoReader<Self>, buffer: &mut [u8]) -> io::Result<usize> {
        futures_util::AsyncReadExt::read(reader, buffer).await
    }

    async fn write(writer: &mut FifoWriter<Self>, bytes: &[u8]) -> io::Result<usize> {
        futures_util::AsyncWriteExt::write(writer, bytes).await
    }

    async fn write_all(writer: &mut FifoWriter<Self>, bytes: &[u8]) -> io::Result<()> {
        futures_util::AsyncWriteExt::write_all(writer, bytes).await
    }

    async fn read_all(mut download: Download<Self>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        futures_util::AsyncReadExt::read_to_end(&mut download, &mut bytes).await?;
        Ok(bytes)
    }

    async fn read_payload(mut payload: Payload) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        futures_util::AsyncReadExt::read_to_end(&mut payload, &mut bytes).await?;
        Ok(bytes)
    }

    async fn reply_bytes(
        replies: &mut ReplySink<Self, Vec<u8>, Bytes>,
        bytes: &[u8],
    ) -> io::Result<()> {
        let mut writer = replies.writer();
        futures_util::AsyncWriteExt::write_all(&mut writer, bytes).await?;
        futures_util::AsyncWriteExt::flush(&mut writer).await
    }

    async fn upload(
        call: Call<'_, '_, Self, Vec<u8>, Vec<u8>, Bytes>,
        bytes: &[u8],
    ) -> Result<Vec<u8>> {
        call.upload_from(bytes).await
    }
}
