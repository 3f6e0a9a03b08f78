//! Cancels, on every front end: exact, acknowledged, bounded.

use std::future::poll_fn;
use std::io::Read;
use std::sync::Mutex;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::time::Instant;

use fifowire::{ErrorKind, Fate, Pair, Phase};

use super::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::time::{Aside, aside, until};
use crate::support::{ByHand, OVERSHOOT, Scene, ms, raw, scene_after};

/// A server that lingers, on a thread of its own, and who is told of requests that it lingers over.
fn lingering<F: Front>(scene: &Scene, name: &str) -> (Pair, Aside<()>, mpsc::Receiver<()>) {
    let pair = Pair::create(scene.directory(), name).unwrap();
    let theirs = Pair::at(scene.directory(), name).unwrap();
    let ((started, starts), (opened, opens)) = (mpsc::channel(), mpsc::channel());
    let serving = aside(move || {
        F::block_on(async {
            let mut server = F::server(&theirs, 65_536).await.unwrap();
            opened.send(()).unwrap();
            F::linger(&mut server, started).await.unwrap();
        });
    });
    // A call that is begun is written at once where a server is there, and nobody looks after it
    // while the test waits for something else.
    opens.recv().unwrap();
    (pair, serving, starts)
}

fn a_handler_learns_that_its_call_is_cancelled_and_the_next_is_served<F: Front>(scene: &Scene) {
    let (pair, serving, starts) = lingering::<F>(scene, "in_hand");
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        // A call that is begun waits for no server.
        F::ping(&client, ms(9000)).await.unwrap();
        for round in 0..20_u8 {
            let began = Instant::now();
            let until = async || starts.recv().unwrap();
            let error = F::begin_and_cancel(&client, b"wait", until).await.unwrap_err();
            let ended = (error.kind(), error.phase(), error.fate());
            assert_eq!(ended, (ErrorKind::Cancelled, Phase::Reply, Some(Fate::Delivered)));
            assert!(began.elapsed() < ms(4000), "acknowledged: {:?}", began.elapsed());
            assert_eq!(F::call(&client, &[round], ms(9000)).await.unwrap(), [round]);
        }
        assert_eq!(F::in_flight(&client), 0);
        F::call(&client, b"stop", ms(9000)).await.unwrap();
    });
    serving.join();
}

fn a_call_that_is_given_up_frees_the_handler<F: Front>(scene: &Scene) {
    let (pair, serving, starts) = lingering::<F>(scene, "given_up");
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        let error = F::call(&client, b"wait", ms(50)).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::TimedOut, Some(Fate::MaybeDelivered)));
        starts.recv().unwrap();
        F::call(&client, b"stop", ms(9000)).await.unwrap();
    });
    serving.join();
}

fn a_ping_is_behind_no_handler<F: Front>(scene: &Scene) {
    let (pair, serving, starts) = lingering::<F>(scene, "pinged");
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        F::ping(&client, ms(9000)).await.unwrap();
        let until = async || {
            starts.recv().unwrap();
            for _ in 0..10 {
                F::ping(&client, ms(9000)).await.unwrap();
            }
        };
        let waiting = F::begin_and_cancel(&client, b"wait", until).await;
        assert_eq!(waiting.unwrap_err().kind(), ErrorKind::Cancelled);
        F::call(&client, b"stop", ms(9000)).await.unwrap();
    });
    serving.join();
}

fn a_thousand_cancelled_requests_leave_nothing_to_the_next<F: Front>(scene: &Scene) {
    let (pair, serving, _starts) = lingering::<F>(scene, "thousand");
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        let mut cancelled = 0;
        for cycle in 0..1000_usize {
            let message = vec![0xCC; cycle * 13 % 20_000];
            match F::begin_and_cancel(&client, &message, async || {}).await {
                Ok(reply) => assert_eq!(reply, message),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Cancelled);
                    cancelled += 1;
                }
            }
            let message = (cycle as u32).to_le_bytes();
            assert_eq!(F::call(&client, &message, ms(9000)).await.unwrap(), message);
        }
        assert!(cancelled > 0);
        assert_eq!(F::in_flight(&client), 0);
        F::call(&client, b"stop", ms(9000)).await.unwrap();
    });
    serving.join();
}

fn a_server_that_never_acknowledges_is_given_up_and_the_next_call_works<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "deaf").unwrap();
    let mut requests = raw::reader(pair.input());
    F::block_on(async {
        let client = F::canceller(&pair, ms(500)).await.unwrap();
        let (began, mut bytes) = (Instant::now(), [0; 100]);
        let heard =
            async || until("the request", || requests.read(&mut bytes).is_ok_and(|n| n > 0));
        let error = F::begin_and_cancel(&client, b"anybody?", heard).await.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::TimedOut, Phase::Cancel));
        assert!(began.elapsed() >= ms(500), "{:?}", began.elapsed());
        assert!(began.elapsed() <= ms(600), "{:?}", began.elapsed());
        drop(requests);
        let theirs = Pair::at(scene.directory(), "deaf").unwrap();
        let serving = aside(move || {
            F::block_on(async {
                let mut server = F::server(&theirs, 65_536).await.unwrap();
                F::obey(&mut server).await.unwrap();
            });
        });
        assert_eq!(F::call(&client, b"again", ms(9000)).await.unwrap(), b"again");
        F::call(&client, b"stop", ms(9000)).await.unwrap();
        serving.join();
    });
}

fn a_cancel_on_a_stuck_fifo_fails_at_its_own_deadline<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "stuck").unwrap();
    let server = &ByHand::at(&pair);
    F::block_on(async {
        let client = &F::canceller(&pair, ms(150)).await.unwrap();
        let began = &Mutex::new(Instant::now());
        F::together(2, |party| async move {
            if party == 1 {
                while server.unread_bytes() == 0 {
                    let_others().await;
                }
                let error = F::call(client, &[7; 200_000], ms(20_000)).await.unwrap_err();
                let ended = (error.kind(), error.fate());
                assert_eq!(ended, (ErrorKind::Poisoned, Some(Fate::NotSent)));
                return;
            }
            let stuck = async || {
                // What this waits for is that the others' bytes have filled the FIFO.
                F::ping(client, ms(100)).await.unwrap_err();
                *began.lock().unwrap() = Instant::now();
            };
            let error = F::begin_and_cancel(client, b"first", stuck).await.unwrap_err();
            assert_eq!((error.kind(), error.phase()), (ErrorKind::TimedOut, Phase::Cancel));
        })
        .await;
        // Both have ended, the other call long before its time.
        let took = began.lock().unwrap().elapsed();
        assert!(took >= ms(150) && took <= ms(150) + OVERSHOOT, "{took:?}");
        assert!(server.unread_bytes() > 50_000, "{}", server.unread_bytes());
        assert_eq!(F::in_flight(client), 0);
    });
}

/// Lets other tasks go on, or other threads where nothing is ever pending.
async fn let_others() {
    let mut waited = false;
    poll_fn(|cx| {
        if cx.waker().will_wake(Waker::noop()) {
            std::thread::yield_now();
            return Poll::Ready(());
        }
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn all<F: Front>(scene: &Scene) {
    a_handler_learns_that_its_call_is_cancelled_and_the_next_is_served::<F>(scene);
    a_call_that_is_given_up_frees_the_handler::<F>(scene);
    a_ping_is_behind_no_handler::<F>(scene);
    a_thousand_cancelled_requests_leave_nothing_to_the_next::<F>(scene);
    a_server_that_never_acknowledges_is_given_up_and_the_next_call_works::<F>(scene);
    a_cancel_on_a_stuck_fifo_fails_at_its_own_deadline::<F>(scene);
}

#[test]
fn blocking_cancels() {
    scene_after(Blocking::prepare, |scene| {
        all::<Blocking>(scene);
    });
}

#[test]
fn tokio_current_thread_cancels() {
    scene_after(TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene);
    });
}

#[test]
fn tokio_multi_thread_cancels() {
    scene_after(TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene);
    });
}

#[test]
fn async_io_cancels() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene);
    });
}
