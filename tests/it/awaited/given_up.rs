//! Waits that live in an endpoint and not in a future, and that nobody goes on with: what they have
//! waited is not the next one's.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use fifowire::awaited::{Receiver, Sender};
use fifowire::codec::Bytes;
use fifowire::{EndOfWriters, Error, ErrorKind, Fifo};
use futures_util::{Sink, StreamExt};

use crate::fronts::{AsyncIo, Awaited, BlockOn, Bytewise, CurrentThread, Front, MultiThread, Smol};
use crate::support::time::let_pass;
use crate::support::{Scene, ms, raw, scene_after};

/// How long each wait may take.
const TIME: Duration = ms(300);

/// A wait that was given up is known as such by nothing but the time that it was left alone.
const LONG_GIVEN_UP: Duration = ms(1200);

/// Much longer than any wait here.
const LONG: Duration = ms(20_000);

/// Polls once, for nobody.
fn poll_once<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    poll(&mut Context::from_waker(Waker::noop()))
}

/// An error that ended a wait which began no earlier, and which had the whole of its time.
fn has_waited_itself(error: &Error, began: Instant) {
    let (elapsed, took) = (error.elapsed().unwrap(), began.elapsed());
    assert!(elapsed <= took, "{elapsed:?} in {took:?}: it counts the wait before ({error})");
    assert!(took >= TIME, "{took:?}: it had less time than its own ({error})");
}

type Sending<R> = Sender<R, Vec<u8>, Bytes>;

fn a_sink_that_was_given_up<R: Bytewise, B: BlockOn>(scene: &Scene, timeout: Duration) {
    // Closing flushes, and is the same wait.
    let close = timeout == LONG;
    let fifo =
        Fifo::create(scene.path(if close { "closed.fifo" } else { "flushed.fifo" })).unwrap();
    B::block_on(async {
        let _reads_nothing = raw::reader(fifo.path());
        let options = Sender::<R, Vec<u8>>::options().codec(Bytes);
        // One of the two clocks is the one that ends a wait.
        let options = options.timeout(timeout).stall_timeout(LONG + TIME - timeout);
        let mut sender: Sending<R> = options.open(fifo.path()).await.unwrap();
        let start = async |sender: &mut Sending<R>| {
            poll_fn(|cx| Pin::new(&mut *sender).poll_ready(cx)).await.unwrap();
            Pin::new(&mut *sender).start_send(vec![7; 1 << 20]).unwrap();
            assert!(poll_once(|cx| Pin::new(&mut *sender).poll_flush(cx)).is_pending());
        };

        // A method knows that it is another wait.
        start(&mut sender).await;
        let_pass(TIME * 2 / 3);
        let began = Instant::now();
        let error = sender.flush().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteStalled);
        has_waited_itself(&error, began);

        // A poll does not, but for the time in which there was none.
        start(&mut sender).await;
        let_pass(LONG_GIVEN_UP);
        let began = Instant::now();
        let ended = poll_fn(|cx| match close {
            false => Pin::new(&mut sender).poll_flush(cx),
            true => Pin::new(&mut sender).poll_close(cx),
        });
        let error = ended.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteStalled);
        has_waited_itself(&error, began);
    });
}

fn a_stream_that_was_given_up<R: Bytewise, B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("stream.fifo")).unwrap();
    B::block_on(async {
        let options = Receiver::<R, Vec<u8>>::options().codec(Bytes);
        let mut receiver = options.timeout(TIME).open(fifo.path()).await.unwrap();
        assert!(poll_once(|cx| receiver.poll_next_unpin(cx)).is_pending());
        let_pass(LONG_GIVEN_UP);
        let began = Instant::now();
        has_waited_itself(&receiver.next().await.unwrap().unwrap_err(), began);
    });
}

fn bytes_that_were_given_up<R: Bytewise, B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("bytes.fifo")).unwrap();
    let checked = |error: std::io::Error, began| {
        has_waited_itself(error.get_ref().unwrap().downcast_ref().unwrap(), began);
    };
    B::block_on(async {
        let opened = Awaited::<R, B>::reader(fifo.path(), EndOfWriters::Wait, TIME);
        let mut reader = opened.await.unwrap();
        let mut writer = Awaited::<R, B>::writer(fifo.path(), TIME).await.unwrap();
        assert!(poll_once(|cx| pin!(R::read(&mut reader, &mut [0; 8])).poll(cx)).is_pending());
        let full = vec![7; 1 << 20];
        while poll_once(|cx| pin!(R::write(&mut writer, &full)).poll(cx)).is_ready() {}
        let_pass(LONG_GIVEN_UP);
        let began = Instant::now();
        checked(R::write(&mut writer, &full).await.unwrap_err(), began);
        raw::drain(&mut raw::reader(fifo.path()));
        let began = Instant::now();
        checked(R::read(&mut reader, &mut [0; 8]).await.unwrap_err(), began);
    });
}

fn all<R: Bytewise, B: BlockOn>(scene: &Scene) {
    // Beside each other, because each lets time pass.
    thread::scope(|scope| {
        scope.spawn(|| a_sink_that_was_given_up::<R, B>(scene, TIME));
        scope.spawn(|| a_sink_that_was_given_up::<R, B>(scene, LONG));
        scope.spawn(|| a_stream_that_was_given_up::<R, B>(scene));
        scope.spawn(|| bytes_that_were_given_up::<R, B>(scene));
    });
}

#[test]
fn tokio_current_thread_counts_no_wait_that_was_given_up() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<fifowire::tokio::Tokio, CurrentThread>(scene);
    });
}

#[test]
fn tokio_multi_thread_counts_no_wait_that_was_given_up() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<fifowire::tokio::Tokio, MultiThread>(scene);
    });
}

#[test]
fn async_io_counts_no_wait_that_was_given_up() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<fifowire::async_io::AsyncIo, Smol>(scene);
    });
}
