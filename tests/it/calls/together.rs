//! Threads that share a client: who waits for whom, and who is told.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fifowire::{Client, ErrorKind, Fate, Pair, Server};

use crate::support::time::{aside, asleep};
use crate::support::{ms, raw, scene};

#[test]
fn a_thread_that_leaves_with_its_reply_wakes_another_to_wait_for_all() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        let client = Arc::new(Client::<u32, u32>::open(&pair).unwrap());
        let calls: Vec<_> = (0..3)
            .map(|number| {
                let client = Arc::clone(&client);
                asleep(move || {
                    let reply = client.call(&number).unwrap();
                    (reply, Instant::now())
                })
            })
            .collect();
        let asked: Vec<_> = server.requests().take(3).map(Result::unwrap).collect();
        for (request, call) in asked.into_iter().zip(calls) {
            let number = request.value;
            // The last to wait is the first that leads; it leaves first.
            let answered = Instant::now();
            request.responder.send(&number).unwrap();
            let (reply, at) = call.join();
            assert_eq!(reply, number);
            // One that is forgotten looks up by itself, once a second.
            assert!(at - answered < ms(500), "{:?}", at - answered);
        }
    });
}

#[test]
fn a_call_that_the_path_has_failed_says_what_became_of_it_and_leaves_nothing() {
    scene(&[], |scene| {
        let replace = |path: &std::path::Path| {
            fs::remove_file(path).unwrap();
            fs::write(path, b"precious").unwrap();
        };
        let pair = Pair::create(scene.directory(), "unsent").unwrap();
        let client = Client::<u32, u32>::open(&pair).unwrap();
        replace(pair.input());
        let error = client.call(&1).unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::NotAFifo, Some(Fate::NotSent)));
        assert_eq!(client.in_flight(), 0);
        fs::remove_file(pair.input()).unwrap();

        let pair = Pair::create(scene.directory(), "asked").unwrap();
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        let client = Arc::new(Client::<u32, u32>::open(&pair).unwrap());
        let calls = Arc::clone(&client);
        let call = asleep(move || calls.call(&1).unwrap_err());
        let request = server.recv_timeout(ms(9000)).unwrap();
        replace(pair.output());
        let error = call.join();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::NotAFifo, Some(Fate::MaybeDelivered)));
        assert_eq!(client.in_flight(), 0);
        drop(request);
        fs::remove_file(pair.output()).unwrap();
    });
}

#[test]
fn a_reply_that_nobody_took_is_counted() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server =
            Server::<u32, String>::options().reply_timeout(ms(50)).open(&pair).unwrap();
        let client = Client::<u32, String>::open(&pair).unwrap();
        let call = aside(move || client.request(&1).timeout(ms(300)).call().map(drop));
        let request = server.recv_timeout(ms(9000)).unwrap();
        call.join().unwrap_err();
        let error = request.responder.send(&"x".repeat(100_000)).unwrap_err();
        assert_eq!(error.fate(), Some(Fate::NotSent), "{error}");
        assert_eq!(server.stats().unanswered, 1);
    });
}

#[test]
fn many_calls_that_wait_are_told_of_once_a_second() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let sees = Arc::clone(&told);
        let options = Client::<u32, u32>::options();
        let options = options.on_waiting(move |waiting| {
            sees.lock().unwrap().push((Instant::now(), waiting.elapsed));
        });
        let client = Arc::new(options.open(&pair).unwrap());
        let _takes_all_and_answers_nothing = raw::reader(pair.input());
        let calls: Vec<_> = (0..20)
            .map(|number: u32| {
                let client = Arc::clone(&client);
                let timeout = ms(1200) + Duration::from_millis(50) * number;
                aside(move || client.request(&number).timeout(timeout).call().map(drop))
            })
            .collect();
        for call in calls {
            call.join().unwrap_err();
        }
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].1 >= ms(1000) && told[1].0 - told[0].0 >= ms(1000), "{told:?}");
    });
}
