//! Streams on awaited front ends: begun together, read by whoever outlives a request, and short
//! limits.

use std::time::Instant;

use fifowire::Pair;
use fifowire::awaited::{Client, Runtime, Server};
use futures_util::future::join3;

use crate::fronts::{AsyncIo, BlockOn, CurrentThread, Front, Smol};
use crate::support::{ms, scene_after};

fn streams_that_are_begun_together_are_begun_at_once<R: Runtime, B: BlockOn>(
    scene: &crate::support::Scene,
) {
    let pair = Pair::create(scene.directory(), "together").unwrap();
    let theirs = Pair::at(scene.directory(), "together").unwrap();
    B::block_on(async {
        let _silent = Server::<R, u32, u32>::open(&theirs).await.unwrap();
        let client = Client::<R, u32, u32>::open(&pair).await.unwrap();
        let began = Instant::now();
        let long = async {
            client.request(&0).timeout(ms(3000)).call().await.unwrap_err();
        };
        let stream = async |number: u32| {
            let stream = client.request(&number).timeout(ms(2000 + 2000)).stream().await.unwrap();
            (stream, began.elapsed())
        };
        let ((), (_one, first), (_two, second)) = join3(long, stream(1), stream(2)).await;
        assert!(first < ms(500) && second < ms(500), "begun after {first:?} and {second:?}");
    });
}

#[test]
fn tokio_streams_begun_together() {
    scene_after(<crate::fronts::TokioCurrent as Front>::prepare, |scene| {
        streams_that_are_begun_together_are_begun_at_once::<fifowire::tokio::Tokio, CurrentThread>(
            scene,
        );
    });
}

#[test]
fn async_io_streams_begun_together() {
    scene_after(AsyncIo::prepare, |scene| {
        streams_that_are_begun_together_are_begun_at_once::<fifowire::async_io::AsyncIo, Smol>(
            scene,
        );
    });
}

/// A server of short messages takes a payload.
#[test]
fn a_payload_comes_whole_at_a_server_of_short_messages() {
    use std::io;
    scene_after(
        || {},
        |scene| {
            let pair = Pair::create(scene.directory(), "short").unwrap();
            let theirs = Pair::at(scene.directory(), "short").unwrap();
            let serving = crate::support::time::aside(move || {
                let options = fifowire::Server::<u32, u64>::options().max_message(4096);
                let options = options.end_of_writers(fifowire::EndOfWriters::End);
                let mut server = options.open(&theirs).unwrap();
                server
                    .serve(|_, context| io::copy(&mut context.payload(), &mut io::sink()))
                    .unwrap();
            });
            let client = fifowire::Client::<u32, u64>::open(&pair).unwrap();
            let count = client.request(&1).timeout(ms(3000)).upload_from(&[7; 10_000][..]);
            drop(client);
            serving.join();
            assert_eq!(count.map_err(|error| error.kind()), Ok(10_000));
        },
    );
}

/// A reader of a payload that outlives the answer.
#[test]
fn a_reader_of_a_payload_ends_with_its_request_and_not_as_if_it_had_all() {
    use futures_util::AsyncReadExt as _;
    scene_after(AsyncIo::prepare, |scene| {
        let pair = Pair::create(scene.directory(), "outlived").unwrap();
        Smol::block_on(async {
            let mut server = fifowire::async_io::Server::<u32, u32>::open(&pair).await.unwrap();
            let client = fifowire::async_io::Client::<u32, u32>::open(&pair).await.unwrap();
            let upload = client.request(&1).timeout(ms(3000)).upload().await.unwrap();
            let request = server.recv_timeout(ms(1000)).await.unwrap();
            let mut payload = request.responder.payload();
            let began = Instant::now();
            let read = async {
                let mut all = Vec::new();
                (payload.read_to_end(&mut all).await, began.elapsed())
            };
            let answer = async {
                request.responder.send(&2).await.unwrap();
            };
            let ((read, took), ()) = futures_util::future::join(read, answer).await;
            drop(upload);
            assert!(read.is_err() && took < ms(1000), "{read:?} after {took:?}");
        });
    });
}
