//! Timeouts go by the runtime's clock, and that of tokio stands still until a test moves it, or
//! until no task has anything to do. Here it runs ahead for minutes within milliseconds.

use std::future::{Future, pending};
use std::task::Poll;
use std::time::Duration;

use fifowire::tokio::{Client, Receiver, Sender, Server};
use fifowire::{ErrorKind, Fifo, Pair};
use futures_util::stream::StreamExt;
use tokio::time::{Instant, advance};

use crate::fronts::{AsyncIo, Front};
use crate::support::{OVERSHOOT, Scene, raw, scene, scene_after};

/// What a call and an open have, unless told otherwise.
const USUAL: Duration = Duration::from_secs(30);

const SHORT: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_secs(3600);

/// Runs a future under a clock that is paused.
fn paused<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap().block_on(future)
}

/// Awaits what must use up its timeout by the paused clock, and whose error must say so.
async fn times_out<T: std::fmt::Debug>(
    timeout: Duration,
    call: impl Future<Output = fifowire::Result<T>>,
) -> ErrorKind {
    let began = Instant::now();
    let error = call.await.unwrap_err();
    for elapsed in [began.elapsed(), error.elapsed().unwrap()] {
        assert!(elapsed >= timeout && elapsed <= timeout + OVERSHOOT, "{elapsed:?}: {error}");
    }
    assert_eq!(error.deadline(), Some(timeout));
    error.kind()
}

fn pair(scene: &Scene) -> Pair {
    Pair::create(scene.directory(), "clock").unwrap()
}

#[test]
fn a_call_whose_answer_does_not_come_ends_by_the_paused_clock() {
    scene(&[], |scene| {
        paused(async {
            let pair = pair(scene);
            let mut server = Server::<u32, u32>::open(&pair).await.unwrap();
            let client = Client::<u32, u32>::open(&pair).await.unwrap();
            let mut requests = server.requests();
            let hold = async {
                let _held = requests.next().await.unwrap().unwrap();
                pending::<()>().await
            };
            tokio::select! {
                kind = times_out(USUAL, client.call(&1)) => assert_eq!(kind, ErrorKind::TimedOut),
                () = hold => {}
            }
        });
    });
}

#[test]
fn an_open_that_finds_nobody_ends_by_the_paused_clock() {
    scene(&[], |scene| {
        paused(async {
            let fifo = Fifo::create(scene.path("alone.fifo")).unwrap();
            let kind = times_out(USUAL, Sender::<u32>::open(fifo.path())).await;
            assert_eq!(kind, ErrorKind::NoReader);
            let nowhere = Pair::at(scene.directory(), "nowhere").unwrap();
            let kind = times_out(USUAL, Client::<u32, u32>::open(&nowhere)).await;
            assert_eq!(kind, ErrorKind::NotFound);
        });
    });
}

#[test]
fn a_wait_for_what_does_not_come_ends_by_the_paused_clock() {
    scene(&[], |scene| {
        paused(async {
            let fifo = Fifo::create(scene.path("idle.fifo")).unwrap();
            let mut receiver = Receiver::<u32>::open(fifo.path()).await.unwrap();
            let _idle = raw::writer(fifo.path());
            let kind = times_out(USUAL, receiver.recv_timeout(USUAL)).await;
            assert_eq!(kind, ErrorKind::TimedOut);
            let mut server = Server::<u32, u32>::open(&pair(scene)).await.unwrap();
            let kind = times_out(SHORT, server.recv_timeout(SHORT)).await;
            assert_eq!(kind, ErrorKind::NoWriter);
        });
    });
}

#[test]
fn a_clock_that_was_advanced_takes_no_time_from_what_comes_after() {
    scene(&[], |scene| {
        paused(async {
            let fifo = Fifo::create(scene.path("later.fifo")).unwrap();
            let mut receiver = Receiver::<u32>::open(fifo.path()).await.unwrap();
            let mut sender = Sender::<u32>::open(fifo.path()).await.unwrap();
            let pair = pair(scene);
            let mut server = Server::<(), Option<Duration>>::open(&pair).await.unwrap();
            let client = Client::<(), Option<Duration>>::open(&pair).await.unwrap();
            let serve = server.serve(|(), context| async move {
                Ok::<_, String>(context.remaining()) // as the handler sees it
            });
            let calls = async {
                for _ in 0..3 {
                    advance(HOUR).await;
                    let left = client.request(&()).timeout(SHORT).call().await.unwrap().unwrap();
                    assert!(left > Duration::ZERO && left <= SHORT, "{left:?} are left");
                    assert!(client.ping(SHORT).await.unwrap().round_trip <= SHORT);
                    sender.send_timeout(&1, SHORT).await.unwrap();
                    assert_eq!(receiver.recv_timeout(SHORT).await.unwrap(), 1);
                }
            };
            tokio::select! {
                ended = serve => panic!("{ended:?}"),
                () = calls => {}
            }
        });
    });
}

/// It is no wait that nobody has looked after, however far the clock was moved meanwhile.
#[test]
fn a_wait_of_a_stream_is_over_once_the_clock_was_moved_past_its_time() {
    scene(&[], |scene| {
        paused(async {
            let fifo = Fifo::create(scene.path("stream.fifo")).unwrap();
            let options = Receiver::<u32>::options().timeout(SHORT);
            let mut receiver = options.open(fifo.path()).await.unwrap();
            assert!(futures_util::poll!(receiver.next()).is_pending());
            advance(SHORT).await;
            let ended = futures_util::poll!(receiver.next());
            let Poll::Ready(Some(Err(error))) = ended else { panic!("{ended:?}") };
            assert_eq!(error.kind(), ErrorKind::NoWriter);
        });
    });
}

#[test]
fn a_call_from_elsewhere_goes_by_the_clock_of_its_connection() {
    scene_after(AsyncIo::prepare, |scene| {
        paused(async {
            let pair = pair(scene);
            let mut server = Server::<u32, u32>::open(&pair).await.unwrap();
            let client = Client::<u32, u32>::open(&pair).await.unwrap();
            advance(HOUR).await;
            // A thread without a runtime, whose own clock is an hour behind. While the runtime
            // knows of blocking work, its clock stands still.
            let call = move || async_io::block_on(client.request(&1).timeout(SHORT).call());
            let elsewhere = tokio::task::spawn_blocking(|| std::thread::spawn(call).join());
            tokio::select! {
                ended = server.serve(|number, _| async move { Ok::<_, String>(number) }) => {
                    panic!("{ended:?}")
                }
                reply = elsewhere => assert_eq!(reply.unwrap().unwrap().unwrap(), 1),
            }
        });
    });
}
