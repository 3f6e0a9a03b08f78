//! The awaited front ends, as the scenarios use them.

use super::*;

/// On a runtime `R`, whose futures `B` runs.
pub(crate) struct Awaited<R, B>(std::marker::PhantomData<(R, B)>);

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
