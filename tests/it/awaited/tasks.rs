//! Many tasks, one client.

use std::time::Instant;

use fifowire::awaited::{Client, Runtime, Server};
use fifowire::codec::Bytes;
use fifowire::{EndOfWriters, Pair};
use futures_util::future::join_all;

use super::cut_after;
use super::dropped::Pace;
use crate::fronts::{AsyncIo, BlockOn, CurrentThread, Front, MultiThread, Smol};
use crate::support::time::aside;
use crate::support::{OVERSHOOT, Scene, ms, scene_after};

/// Of so many calls a third times out, a third is dropped, and a third is answered.
const CALLS: u32 = 10_000;

/// Calls at once.
const AT_ONCE: u32 = 100;

fn every_other_reply_is_right<R: Runtime, B: BlockOn>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "thirds").unwrap();
    let theirs = Pair::at(scene.directory(), "thirds").unwrap();
    let serving = aside(move || {
        B::block_on(async {
            let options = Server::<R, Vec<u8>, Vec<u8>>::options().codec(Bytes);
            let options = options.end_of_writers(EndOfWriters::End).max_handlers(1000);
            let mut server = options.open(&theirs).await.unwrap();
            let serve = server.serve(|message: Vec<u8>, context| async move {
                // Every third takes longer than its caller waits.
                if message[0] == 0 {
                    async_io::Timer::after(context.remaining().unwrap() + ms(20)).await;
                }
                Ok::<_, String>(message)
            });
            serve.await.unwrap();
        });
    });
    B::block_on(async {
        let options = Client::<R, Vec<u8>, Vec<u8>>::options().codec(Bytes).timeout(ms(9000));
        let client = options.open(&pair).await.unwrap();
        for round in 0..CALLS / AT_ONCE {
            let calls = (0..AT_ONCE).map(|at| {
                let client = client.clone();
                async move {
                    let mut message = (round * AT_ONCE + at).to_le_bytes().to_vec();
                    message.insert(0, (at % 3) as u8);
                    match at % 3 {
                        0 => {
                            let short = client.request(&message).timeout(ms(20));
                            short.call().await.unwrap_err();
                        }
                        1 => drop(
                            cut_after(at as usize % 4, Pace::Woken, client.call(&message)).await,
                        ),
                        _ => assert_eq!(client.call(&message).await.unwrap(), message),
                    }
                }
            });
            join_all(calls).await;
            assert_eq!(client.in_flight(), 0);
        }
    });
    serving.join();
}

/// Each of many calls that nobody answers, begun together, ends by a deadline of its own.
fn every_deadline_of_many_is_kept<R: Runtime, B: BlockOn>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "deadlines").unwrap();
    let theirs = Pair::at(scene.directory(), "deadlines").unwrap();
    B::block_on(async {
        let _silent = Server::<R, u32, u32>::open(&theirs).await.unwrap();
        let client = Client::<R, u32, u32>::open(&pair).await.unwrap();
        // Again and again: now and then some other timer happens to come at the right time.
        for _ in 0..10 {
            // The longest first: those that come later have the earlier deadlines.
            let calls = (0..4).rev().map(|number| {
                let client = client.clone();
                async move {
                    let (began, timeout) = (Instant::now(), ms(5) + ms(30) * number);
                    client.request(&number).timeout(timeout).call().await.unwrap_err();
                    let took = began.elapsed();
                    assert!(took >= timeout, "{took:?} of {timeout:?}");
                    assert!(took <= timeout + OVERSHOOT, "{took:?} of {timeout:?}");
                }
            });
            join_all(calls).await;
            assert_eq!(client.in_flight(), 0);
        }
    });
}

#[test]
fn tokio_current_thread_calls_by_thirds() {
    scene_after(AsyncIo::prepare, |scene| {
        every_other_reply_is_right::<fifowire::tokio::Tokio, CurrentThread>(scene);
        every_deadline_of_many_is_kept::<fifowire::tokio::Tokio, CurrentThread>(scene);
    });
}

#[test]
fn tokio_multi_thread_calls_by_thirds() {
    scene_after(AsyncIo::prepare, |scene| {
        every_other_reply_is_right::<fifowire::tokio::Tokio, MultiThread>(scene);
        every_deadline_of_many_is_kept::<fifowire::tokio::Tokio, MultiThread>(scene);
    });
}

#[test]
fn async_io_calls_by_thirds() {
    scene_after(AsyncIo::prepare, |scene| {
        every_other_reply_is_right::<fifowire::async_io::AsyncIo, Smol>(scene);
        every_deadline_of_many_is_kept::<fifowire::async_io::AsyncIo, Smol>(scene);
    });
}
