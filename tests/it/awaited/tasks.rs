//! Many tasks, one client.

use std::time::Instant;

use fifowire::awaited::{Client, Runtime, Server};
use fifowire::codec::{Bytes, Codec, CodecError};
use fifowire::{EndOfWriters, Pair};
use futures_util::future::{join, join_all};

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

/// A message so long that one poll cannot write all of it, to a peer that takes it as fast as it
/// can: whoever has used up a poll goes on with the next.
fn a_long_message_passes_a_large_pipe<R: Runtime, B: BlockOn>(scene: &Scene) {
    const LONG: usize = 64 << 20;
    let pair = Pair::create(scene.directory(), "long").unwrap();
    let theirs = Pair::at(scene.directory(), "long").unwrap();
    let serving = aside(move || {
        let options = fifowire::Server::<Vec<u8>, u64>::options().codec(Lengths);
        let options = options.max_message(LONG).capacity(1 << 20);
        let mut server = options.end_of_writers(EndOfWriters::End).open(&theirs).unwrap();
        server.serve(|message, _| Ok::<_, String>(message.len() as u64)).unwrap();
    });
    B::block_on(async {
        let options = Client::<R, Vec<u8>, u64>::options().codec(Lengths).max_message(LONG);
        let client = options.capacity(1 << 20).timeout(ms(9000)).open(&pair).await.unwrap();
        for _ in 0..3 {
            assert_eq!(client.call(&vec![7; LONG]).await.unwrap(), LONG as u64);
        }
    });
    serving.join();
}

/// Bytes one way, their number the other.
#[derive(Clone, Debug)]
struct Lengths;

impl Codec<Vec<u8>> for Lengths {
    fn encode(&self, value: &Vec<u8>, message: &mut Vec<u8>) -> Result<(), CodecError> {
        Bytes.encode(value, message)
    }

    fn decode(&self, message: &[u8]) -> Result<Vec<u8>, CodecError> {
        Bytes.decode(message)
    }
}

impl Codec<u64> for Lengths {
    fn encode(&self, value: &u64, message: &mut Vec<u8>) -> Result<(), CodecError> {
        message.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    fn decode(&self, message: &[u8]) -> Result<u64, CodecError> {
        Ok(u64::from_le_bytes(*message.first_chunk().unwrap()))
    }
}

/// While as many handlers run as may, the server is alive all the same, and can be told to stop.
fn a_server_whose_handlers_are_all_busy_answers_pings_and_can_be_stopped<R: Runtime, B: BlockOn>(
    scene: &Scene,
) {
    let pair = Pair::create(scene.directory(), "busy").unwrap();
    let theirs = Pair::at(scene.directory(), "busy").unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let serving = aside(move || {
        B::block_on(async {
            let options = Server::<R, u32, u32>::options().max_handlers(2);
            let mut server = options.open(&theirs).await.unwrap();
            let serve = server.serve(|request, context| {
                let tell = tell.clone();
                async move {
                    tell.send(context.clone()).unwrap();
                    if request > 0 {
                        async_io::Timer::after(ms(300)).await;
                    }
                    Ok::<_, String>(request)
                }
            });
            serve.await.unwrap();
        });
    });
    B::block_on(async {
        let client = Client::<R, u32, u32>::open(&pair).await.unwrap();
        let ping = async {
            for _ in 0..2 {
                while told.try_recv().is_err() {
                    async_io::Timer::after(ms(1)).await;
                }
            }
            // Both handlers run, and will for a while.
            let took = client.ping(ms(200)).await.unwrap().round_trip;
            assert!(took < ms(100), "{took:?}");
        };
        let first = client.call(&1);
        let (one, two, ()) = futures_util::future::join3(first, client.call(&2), ping).await;
        assert_eq!([one.unwrap(), two.unwrap()], [1, 2]);
        assert_eq!(client.call(&0).await.unwrap(), 0);
        // Kept from a request that was answered, and used on another thread.
        told.recv().unwrap().stop();
    });
    serving.join();
}

/// A reply that is written is a reply, even where its future is dropped before it knows; one that
/// is not is told of as dropped. And what drops it may be a thread that knows no runtime.
fn a_responder_is_dropped_anywhere<R: Runtime, B: BlockOn>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "anywhere").unwrap();
    let theirs = Pair::at(scene.directory(), "anywhere").unwrap();
    B::block_on(async {
        let mut server = Server::<R, u32, u32>::open(&theirs).await.unwrap();
        let client = Client::<R, u32, u32>::open(&pair).await.unwrap();
        for number in 0..20 {
            let serving = async {
                let request = server.recv_timeout(ms(9000)).await.unwrap();
                aside(move || drop(request)).join();
            };
            let (reply, ()) = join(client.call(&number), serving).await;
            let error = reply.unwrap_err();
            assert_eq!(error.kind(), fifowire::ErrorKind::Remote, "{error}");
            let counting = client.clone();
            assert_eq!(aside(move || counting.stats().late).join(), 0);
        }
    });
}

#[test]
fn tokio_current_thread_calls_by_thirds() {
    scene_after(AsyncIo::prepare, |scene| {
        every_other_reply_is_right::<fifowire::tokio::Tokio, CurrentThread>(scene);
        every_deadline_of_many_is_kept::<fifowire::tokio::Tokio, CurrentThread>(scene);
        a_long_message_passes_a_large_pipe::<fifowire::tokio::Tokio, CurrentThread>(scene);
        a_server_whose_handlers_are_all_busy_answers_pings_and_can_be_stopped::<
            fifowire::tokio::Tokio,
            CurrentThread,
        >(scene);
        a_responder_is_dropped_anywhere::<fifowire::tokio::Tokio, CurrentThread>(scene);
    });
}

#[test]
fn tokio_multi_thread_calls_by_thirds() {
    scene_after(AsyncIo::prepare, |scene| {
        every_other_reply_is_right::<fifowire::tokio::Tokio, MultiThread>(scene);
        every_deadline_of_many_is_kept::<fifowire::tokio::Tokio, MultiThread>(scene);
        a_long_message_passes_a_large_pipe::<fifowire::tokio::Tokio, MultiThread>(scene);
        a_server_whose_handlers_are_all_busy_answers_pings_and_can_be_stopped::<
            fifowire::tokio::Tokio,
            MultiThread,
        >(scene);
        a_responder_is_dropped_anywhere::<fifowire::tokio::Tokio, MultiThread>(scene);
    });
}

#[test]
fn async_io_calls_by_thirds() {
    scene_after(AsyncIo::prepare, |scene| {
        every_other_reply_is_right::<fifowire::async_io::AsyncIo, Smol>(scene);
        every_deadline_of_many_is_kept::<fifowire::async_io::AsyncIo, Smol>(scene);
        a_long_message_passes_a_large_pipe::<fifowire::async_io::AsyncIo, Smol>(scene);
        a_server_whose_handlers_are_all_busy_answers_pings_and_can_be_stopped::<
            fifowire::async_io::AsyncIo,
            Smol,
        >(scene);
        a_responder_is_dropped_anywhere::<fifowire::async_io::AsyncIo, Smol>(scene);
    });
}
