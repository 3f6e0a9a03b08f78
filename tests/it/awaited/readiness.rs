//! The states in which runtimes burn a core over a FIFO: here nothing does, timers go on, and no
//! wake-up is missed.

use std::future::{Future, poll_fn};
use std::io::Write;
use std::task::{Context, Waker};
use std::time::Duration;

use fifowire::awaited::{Receiver, Runtime, Sender};
use fifowire::codec::Text;
use fifowire::framing::Lines;
use fifowire::{ErrorKind, Fifo};
use futures_util::future::{Either, select};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::fronts::{AsyncIo, BlockOn, CurrentThread, Front, MultiThread, Smol};
use crate::support::{Scene, ms, raw, scene_after};

/// How long each state is looked at.
const LOOK: Duration = ms(400);

/// Processor time that a wait may take of it: looking at the path now and then, and the test's own
/// timers.
const MOST: Duration = ms(20);

fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(u64::try_from(micros).unwrap())
}

/// Awaits something that does not come, beside a timer that must go on.
async fn idles<T: std::fmt::Debug>(what: &str, wait: impl Future<Output = T>) {
    let before = processor_time();
    let ticks = async {
        for _ in 0..LOOK.as_millis() / 20 {
            async_io::Timer::after(ms(20)).await;
        }
    };
    let (wait, ticks) = (std::pin::pin!(wait), std::pin::pin!(ticks));
    match select(wait, ticks).await {
        Either::Left((came, _)) => panic!("{what}: nothing should come: {came:?}"),
        Either::Right(((), _)) => {}
    }
    let spent = processor_time() - before;
    assert!(spent <= MOST, "{what}: {spent:?} of processor time in {LOOK:?}");
}

fn no_state_of_a_fifo_burns_a_core<R: Runtime, B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("states.fifo")).unwrap();
    B::block_on(async {
        let options = Receiver::<R, String>::options().codec(Text).framing(Lines::default());
        let mut receiver = options.open(fifo.path()).await.unwrap();
        idles("never had a writer", receiver.recv()).await;

        let mut writer = raw::writer(fifo.path());
        idles("an idle writer", receiver.recv()).await;
        writer.write_all(b"one\n").unwrap();
        assert_eq!(receiver.recv().await.unwrap(), "one");
        idles("an idle writer that has written", receiver.recv()).await;

        writer.write_all(b"two\nthr").unwrap();
        drop(writer);
        assert_eq!(receiver.recv().await.unwrap(), "two");
        idles("the last writer has left", receiver.recv()).await;

        let mut next = raw::writer(fifo.path());
        idles("another has come and is idle", receiver.recv()).await;
        next.write_all(b"ee\n").unwrap();
        // Begun by one writer, ended by the next: the end of a writer is no end of a line.
        assert_eq!(receiver.recv().await.unwrap(), "three");

        // It leaves and another comes while nobody looks.
        for number in 0..50 {
            writeln!(next, "{number}").unwrap();
            drop(next);
            next = raw::writer(fifo.path());
        }
        for number in 0..50 {
            assert_eq!(receiver.recv().await.unwrap(), number.to_string());
        }
        idles("an idle writer after many", receiver.recv()).await;

        // It leaves while nobody looks but the runtime, which remembers that; another comes.
        drop(next);
        async_io::Timer::after(ms(20)).await;
        let mut next = raw::writer(fifo.path());
        idles("an idle writer, and a runtime that remembers another's end", receiver.recv()).await;
        next.write_all(b"heard\n").unwrap();
        assert_eq!(receiver.recv().await.unwrap(), "heard");
    });
}

fn a_full_fifo_burns_no_core_and_its_next_reader_is_noticed<R: Runtime, B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("full.fifo")).unwrap();
    B::block_on(async {
        let stalled = raw::reader(fifo.path());
        let options = Sender::<R, String>::options().codec(Text).framing(Lines::default());
        let mut sender = options.timeout(ms(9000)).open(fifo.path()).await.unwrap();
        let line = "x".repeat(1000);
        // Fills it, to the last page.
        while sender.send_timeout(&line, ms(20)).await.is_ok() {}
        idles("a full FIFO", sender.send(&line)).await;

        // Its reader leaves and another comes before the sender looks: what was in it is there, and
        // so is what the runtime remembers.
        drop(stalled);
        async_io::Timer::after(ms(20)).await;
        let mut returned = raw::reader(fifo.path());
        idles("full, and its reader another", sender.send(&line)).await;
        raw::drain(&mut returned);
        sender.send(&line).await.unwrap();

        drop(returned);
        let error = sender.send_timeout(&line, ms(50)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoReader);
    });
}

/// As often as this a task may go on without a pause, where nothing makes it wait.
const AT_ONCE: usize = 128;

/// Where nothing makes a task wait, it pauses all the same now and then, for the thread's others.
fn a_flood_leaves_others_their_turn<R: Runtime, B: BlockOn>(scene: &Scene) {
    const MESSAGES: usize = 1000;
    let fifo = Fifo::create(scene.path("flood.fifo")).unwrap();
    B::block_on(async {
        let options = Receiver::<R, String>::options().codec(Text);
        let mut receiver = options.open(fifo.path()).await.unwrap();
        let mut sender =
            Sender::<R, String>::options().codec(Text).open(fifo.path()).await.unwrap();
        let (mut at_once, mut pauses) = (0, 0);
        for _ in 0..MESSAGES {
            sender.feed(&"x".to_owned()).await.unwrap();
        }
        sender.flush().await.unwrap();
        for _ in 0..MESSAGES {
            let mut receiving = std::pin::pin!(receiver.recv());
            poll_fn(|cx| {
                let polled = receiving.as_mut().poll(cx);
                at_once = if polled.is_ready() { at_once + 1 } else { 0 };
                pauses += usize::from(polled.is_pending());
                polled
            })
            .await
            .unwrap();
            assert!(at_once <= AT_ONCE);
        }
        assert!(pauses >= MESSAGES / AT_ONCE - 1, "{pauses} pauses");
        let mut at_once = 0;
        for _ in 0..MESSAGES / 2 {
            // There is room for all of them.
            let text = "x".to_owned();
            let mut sending = std::pin::pin!(sender.send(&text));
            poll_fn(|cx| {
                let polled = sending.as_mut().poll(cx);
                at_once = if polled.is_ready() { at_once + 1 } else { 0 };
                polled
            })
            .await
            .unwrap();
            assert!(at_once <= AT_ONCE);
        }
    });
}

/// A future may be polled by one task, and then moved to another.
fn a_wait_ends_in_the_task_that_has_polled_last<R: Runtime, B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("moved.fifo")).unwrap();
    B::block_on(async {
        let mut receiver = Receiver::<R, String>::open(fifo.path()).await.unwrap();
        let mut wait = std::pin::pin!(receiver.recv_timeout(ms(150)));
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(wait.as_mut().poll(&mut nobody).is_pending());
        assert_eq!(wait.await.unwrap_err().kind(), ErrorKind::NoWriter);
    });
}

fn all<R: Runtime, B: BlockOn>(scene: &Scene) {
    a_wait_ends_in_the_task_that_has_polled_last::<R, B>(scene);
    a_flood_leaves_others_their_turn::<R, B>(scene);
    no_state_of_a_fifo_burns_a_core::<R, B>(scene);
    a_full_fifo_burns_no_core_and_its_next_reader_is_noticed::<R, B>(scene);
}

#[test]
fn tokio_current_thread_is_quiet_in_every_state() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<fifowire::tokio::Tokio, CurrentThread>(scene);
    });
}

#[test]
fn tokio_multi_thread_is_quiet_in_every_state() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<fifowire::tokio::Tokio, MultiThread>(scene);
    });
}

#[test]
fn async_io_is_quiet_in_every_state() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<fifowire::async_io::AsyncIo, Smol>(scene);
    });
}
