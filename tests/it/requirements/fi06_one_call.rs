//! FI6: one cancel touches one call, whoever else has calls in flight. That nothing of a cancelled
//! one reaches the next is played in `scenarios/a4_cancel/cycles.rs`.

use std::sync::mpsc::channel;
use std::thread;

use fifowire::{Client, ErrorKind, Fate, Pair, Server};

use crate::support::time::aside;
use crate::support::{ms, scene};

const CALLS: u32 = 40;

/// Every third.
fn is_cancelled(number: u32) -> bool {
    number % 3 == 0
}

#[test]
fn fi6_each_cancel_touches_one_call_of_many() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        let ((taken, all_taken), (go, may_answer)) = (channel(), channel());
        let serving = aside(move || {
            let mut requests = server.requests();
            let next = || requests.next().unwrap().unwrap();
            let held: Vec<_> = std::iter::repeat_with(next).take(CALLS as usize).collect();
            taken.send(()).unwrap();
            may_answer.recv().unwrap();
            for request in held {
                let number = request.value;
                assert_eq!(request.responder.is_cancelled(), is_cancelled(number), "{number}");
                let sent = request.responder.send(&(number + 1000));
                assert_eq!(sent.is_err(), is_cancelled(number), "{number}");
            }
            drop(requests);
            server.stats().cancelled
        });
        let client = Client::<u32, u32>::options().timeout(ms(20_000)).open(&pair).unwrap();
        let begin = |number| (number, client.request(&number).begin().unwrap());
        let calls: Vec<_> = (0..CALLS).map(begin).collect();
        all_taken.recv().unwrap();
        // All at once, and each twice.
        thread::scope(|threads| {
            for (_, call) in calls.iter().filter(|(number, _)| is_cancelled(*number)) {
                let (client, id) = (&client, call.id());
                for _ in 0..2 {
                    threads.spawn(move || client.cancel(id).unwrap());
                }
            }
        });
        go.send(()).unwrap();
        let mut cancelled = 0;
        for (number, call) in calls {
            let id = call.id();
            match call.wait() {
                Ok(reply) => assert_eq!((reply, is_cancelled(number)), (number + 1000, false)),
                Err(error) => {
                    assert!(is_cancelled(number), "{number}: {error}");
                    assert_eq!(error.kind(), ErrorKind::Cancelled);
                    assert_eq!(error.fate(), Some(Fate::Delivered));
                    cancelled += 1;
                }
            }
            // It is over, and there is nothing more to cancel.
            client.cancel(id).unwrap();
        }
        assert_eq!((serving.join(), client.stats().cancelled), (cancelled, cancelled));
        assert_eq!((client.in_flight(), client.stats().late), (0, 0));
    });
}
