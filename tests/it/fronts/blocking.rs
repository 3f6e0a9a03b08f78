//! The blocking front end, as the scenarios use it.

use super::*;

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
