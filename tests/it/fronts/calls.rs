//! Requests and replies, on every front end.

use std::time::Instant;

use fifowire::{ErrorKind, Fate, Pair};
use futures_util::future::join_all;

use super::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::time::aside;
use crate::support::{Scene, ms, scene_after};

fn a_server_that_obeys_answers_fails_and_lives_on<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "obedient").unwrap();
    let theirs = Pair::at(scene.directory(), "obedient").unwrap();
    let serving = aside(move || {
        F::block_on(async {
            let mut server = F::server(&theirs, 65_536).await.unwrap();
            F::obey(&mut server).await.unwrap();
        });
    });
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        for size in [0, 1, 4096, 70_000] {
            let message = vec![size as u8; size];
            assert_eq!(F::call(&client, &message, ms(9000)).await.unwrap(), message);
        }
        for (order, words) in [
            (&b"fail"[..], "I would rather not"),
            (b"panic", "the handler panicked: I was told to"),
        ] {
            let error = F::call(&client, order, ms(9000)).await.unwrap_err();
            assert_eq!((error.kind(), error.detail()), (ErrorKind::Remote, Some(words)));
        }
        F::ping(&client, ms(9000)).await.unwrap();
        assert_eq!(F::call(&client, b"stop", ms(9000)).await.unwrap(), b"stop");
        assert_eq!(F::in_flight(&client), 0);
    });
    serving.join();
}

fn nobody_there_is_an_error_by_the_deadline<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "nobody").unwrap();
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        let began = Instant::now();
        let error = F::call(&client, b"anybody?", ms(50)).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::NoReader, Some(Fate::NotSent)));
        assert!(began.elapsed() < ms(100), "{:?}", began.elapsed());
        let mut server = F::server(&pair, 65_536).await.unwrap();
        let error = F::next(&mut server, ms(30)).await.map(drop).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::NoWriter));
        let error = F::call(&client, b"slow one", ms(50)).await.unwrap_err();
        assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
        assert_eq!(F::in_flight(&client), 0);
    });
}

fn any_size_passes_small_pipes_both_ways<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "small").unwrap();
    let theirs = Pair::at(scene.directory(), "small").unwrap();
    let serving = aside(move || {
        F::block_on(async {
            let mut server = F::server(&theirs, 4096).await.unwrap();
            F::obey(&mut server).await.unwrap();
        });
    });
    F::block_on(async {
        let client = F::client(&pair, 4096).await.unwrap();
        let message: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 251) as u8).collect();
        assert_eq!(F::call(&client, &message, ms(9000)).await.unwrap(), message);
        F::call(&client, b"stop", ms(9000)).await.unwrap();
    });
    serving.join();
}

fn the_next_server_is_found<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "restarted").unwrap();
    let theirs = Pair::at(scene.directory(), "restarted").unwrap();
    let serving = aside(move || {
        for _ in 0..5 {
            F::block_on(async {
                let mut server = F::server(&theirs, 65_536).await.unwrap();
                F::obey(&mut server).await.unwrap();
            });
        }
    });
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        for life in 0..5_u8 {
            // One that is on its way out may take a request with it, and the caller is told.
            while F::call(&client, &[life], ms(9000)).await.is_err() {}
            while F::call(&client, b"stop", ms(9000)).await.is_err() {}
        }
    });
    serving.join();
}

/// Only for front ends that can do so on one thread.
fn many_calls_at_once_each_find_their_reply<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "many").unwrap();
    let theirs = Pair::at(scene.directory(), "many").unwrap();
    let serving = aside(move || {
        F::block_on(async {
            let mut server = F::server(&theirs, 65_536).await.unwrap();
            F::obey(&mut server).await.unwrap();
        });
    });
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        for round in 0..20_u32 {
            let calls = (0..100_u32).map(|number| {
                let client = &client;
                async move {
                    let message = (round * 100 + number).to_le_bytes();
                    // One in ten gives up before it can have an answer.
                    let timeout = if number % 10 == 9 { ms(0) } else { ms(9000) };
                    match F::call(client, &message, timeout).await {
                        Ok(reply) => assert_eq!(reply, message),
                        Err(_) => assert_eq!(number % 10, 9),
                    }
                }
            });
            join_all(calls).await;
        }
        assert_eq!(F::in_flight(&client), 0);
        F::call(&client, b"stop", ms(9000)).await.unwrap();
    });
    serving.join();
}

fn all<F: Front>(scene: &Scene) {
    a_server_that_obeys_answers_fails_and_lives_on::<F>(scene);
    nobody_there_is_an_error_by_the_deadline::<F>(scene);
    any_size_passes_small_pipes_both_ways::<F>(scene);
    the_next_server_is_found::<F>(scene);
    many_calls_at_once_each_find_their_reply::<F>(scene);
}

#[test]
fn blocking_calls() {
    scene_after(Blocking::prepare, |scene| {
        all::<Blocking>(scene);
    });
}

#[test]
fn tokio_current_thread_calls() {
    scene_after(TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene);
    });
}

#[test]
fn tokio_multi_thread_calls() {
    scene_after(TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene);
    });
}

#[test]
fn async_io_calls() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene);
    });
}
