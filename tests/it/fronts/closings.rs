//! Closing and cutting off, on every front end.

use std::io::Write;
use std::sync::mpsc;
use std::time::Instant;

use fifowire::{ErrorKind, Fate, Pair};

use super::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::frame::Frame;
use crate::support::time::{OVERSHOOT, aside};
use crate::support::{Scene, ms, raw, scene_after};

fn a_client_that_closes_has_its_answers_and_the_server_hears_goodbye<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "polite").unwrap();
    let theirs = Pair::at(scene.directory(), "polite").unwrap();
    let (taken, takes) = mpsc::channel();
    let serving = aside(move || {
        F::block_on(async {
            let mut server = F::server(&theirs, 65_536).await.unwrap();
            let (message, responder) = F::next(&mut server, ms(9000)).await.unwrap();
            taken.send(()).unwrap();
            F::answer(responder, &message).await.unwrap();
            // Reads on, to the goodbye and the end.
            while F::server_stats(&server).farewells == 0 {
                F::next(&mut server, ms(5)).await.map(drop).unwrap_err();
            }
            F::next(&mut server, ms(5)).await.map(drop).unwrap_err();
            assert!(F::close_server(server, ms(1000)).await);
        });
    });
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        let message = vec![7; 20_000];
        let calling = async {
            let reply = F::call(&client, &message, ms(9000)).await;
            assert_eq!(reply.unwrap(), message);
        };
        calling.await;
        takes.recv().unwrap();
        assert!(F::close_client(&client, ms(5000)).await);
        assert!(F::close_client(&client, ms(5000)).await, "closing again is no error");
        let error = F::call(&client, &message, ms(9000)).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Closed, Some(Fate::NotSent)));
    });
    serving.join();
}

fn a_close_that_cannot_drain_ends_on_time_and_so_do_the_calls<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "silent").unwrap();
    // A server by hand, which reads and never answers.
    let _requests = raw::reader(pair.input());
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        let calling = client.clone();
        let (began, begun) = (Instant::now(), mpsc::channel());
        let call = aside(move || {
            F::block_on(async {
                begun.0.send(()).unwrap();
                F::call(&calling, b"anybody?", ms(9000)).await.unwrap_err()
            })
        });
        begun.1.recv().unwrap();
        while F::in_flight(&client) == 0 {
            std::thread::yield_now();
        }
        let closing = Instant::now();
        assert!(!F::close_client(&client, ms(300)).await);
        let took = closing.elapsed();
        assert!(took >= ms(300) && took <= ms(300) + OVERSHOOT, "{took:?}");
        let error = call.join();
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        assert!(began.elapsed() < ms(5000));
    });
}

fn an_abort_frees_a_server_that_is_blocked_in_writing<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "blocked").unwrap();
    let theirs = Pair::at(scene.directory(), "blocked").unwrap();
    let (blocked, blocks) = mpsc::channel();
    let serving = aside(move || {
        F::block_on(async {
            let mut server = F::server(&theirs, 4096).await.unwrap();
            blocked.send(()).unwrap();
            let (_, responder) = F::next(&mut server, ms(9000)).await.unwrap();
            blocked.send(()).unwrap();
            // Nobody reads it: the client is not awaited.
            let error = F::answer(responder, &vec![1; 1_000_000]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PeerClosed, "{error}");
            Instant::now()
        })
    });
    blocks.recv().unwrap();
    let aborted = F::block_on(async {
        let client = F::client(&pair, 4096).await.unwrap();
        let begun = F::begin_and_abort(&client, b"much", || blocks.recv().unwrap());
        begun.await
    });
    let freed = serving.join();
    let took = freed.saturating_duration_since(aborted);
    assert!(took <= ms(50), "{took:?}");
}

fn a_server_that_closes_declines_what_it_has_not_taken<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "closes").unwrap();
    F::block_on(async {
        let mut server = F::server(&pair, 65_536).await.unwrap();
        // A client by hand.
        let mut replies = raw::reader(pair.output());
        let mut requests = raw::writer(pair.input());
        requests.write_all(&Frame::request(7, 1, b"taken").bytes()).unwrap();
        let (message, responder) = F::next(&mut server, ms(9000)).await.unwrap();
        requests.write_all(&Frame::request(7, 2, b"declined").bytes()).unwrap();
        F::answer(responder, &message).await.unwrap();
        assert!(F::close_server(server, ms(2000)).await);
        let bytes = raw::drain(&mut replies);
        let mut frames = Vec::new();
        let mut rest = &bytes[..];
        while let Some((frame, used)) = Frame::parse(rest) {
            frames.push((frame.kind, frame.id));
            rest = &rest[used..];
        }
        assert_eq!(frames, [(3, 1), (4, 2), (9, 0)], "a reply, a failure, a goodbye");
    });
}

fn all<F: Front>(scene: &Scene) {
    a_client_that_closes_has_its_answers_and_the_server_hears_goodbye::<F>(scene);
    a_close_that_cannot_drain_ends_on_time_and_so_do_the_calls::<F>(scene);
    an_abort_frees_a_server_that_is_blocked_in_writing::<F>(scene);
    a_server_that_closes_declines_what_it_has_not_taken::<F>(scene);
}

#[test]
fn blocking_closings() {
    scene_after(Blocking::prepare, |scene| {
        all::<Blocking>(scene);
    });
}

#[test]
fn tokio_current_thread_closings() {
    scene_after(TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene);
    });
}

#[test]
fn tokio_multi_thread_closings() {
    scene_after(TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene);
    });
}

#[test]
fn async_io_closings() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene);
    });
}
