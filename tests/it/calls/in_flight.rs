//! Many calls in flight, from many threads, over one pair.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use fifowire::{Client, EndOfWriters, ErrorKind, Fate, Pair, Server};

use crate::support::time::{aside, asleep};
use crate::support::{OVERSHOOT, Scene, ms, on_time, raw, scene, until};

const THREADS: u64 = 8;
const CALLS: u64 = 500;

fn ends(scene: &Scene) -> (Pair, Server<u64, u64>, Client<u64, u64>) {
    let pair = Pair::create(scene.directory(), "agent").unwrap();
    let server = Server::options().end_of_writers(EndOfWriters::End).open(&pair).unwrap();
    let client = Client::options().timeout(ms(20_000)).open(&pair).unwrap();
    (pair, server, client)
}

/// What the servers here answer: a reply that fits one request and no other.
fn answer(request: u64) -> u64 {
    request.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 7
}

#[test]
fn each_reply_finds_its_call_among_those_of_many_threads() {
    scene(&[], |scene| {
        let (_pair, mut server, client) = ends(scene);
        let serving = aside(move || server.serve(|asked, _| Ok::<_, String>(answer(asked))));
        thread::scope(|threads| {
            for caller in 0..THREADS {
                let client = &client;
                threads.spawn(move || {
                    for call in 0..CALLS {
                        let request = caller * CALLS + call;
                        assert_eq!(client.call(&request).unwrap(), answer(request));
                    }
                });
            }
        });
        assert_eq!((client.in_flight(), client.stats().late), (0, 0));
        drop(client);
        // The client's end is the server's end, as it was configured.
        serving.join().unwrap();
    });
}

#[test]
fn replies_come_from_any_thread_in_any_order() {
    scene(&[], |scene| {
        let (_pair, mut server, client) = ends(scene);
        let serving = aside(move || {
            let (workers, work) = channel();
            let answering = thread::spawn(move || {
                // The last of each four is answered first.
                let mut held = Vec::new();
                for request in work {
                    held.push(request);
                    if held.len() == 4 {
                        for request in held.drain(..).rev() {
                            let fifowire::Request { value, responder } = request;
                            thread::spawn(move || responder.send(&answer(value)).unwrap())
                                .join()
                                .unwrap();
                        }
                    }
                }
            });
            for request in server.requests() {
                workers.send(request.unwrap()).unwrap();
            }
            drop(workers);
            answering.join().unwrap();
        });
        thread::scope(|threads| {
            for caller in 0..4 {
                let client = &client;
                threads.spawn(move || {
                    for call in 0..200 {
                        let request = caller * 1000 + call;
                        assert_eq!(client.call(&request).unwrap(), answer(request));
                    }
                });
            }
        });
        drop(client);
        serving.join();
    });
}

#[test]
fn the_timeout_of_one_call_harms_no_other() {
    scene(&[], |scene| {
        let (_pair, mut server, client) = ends(scene);
        let serving = aside(move || {
            // Odd requests are never answered.
            let mut ignored = Vec::new();
            for request in server.requests() {
                let request = request.unwrap();
                if request.value % 2 == 0 {
                    request.responder.send(&answer(request.value)).unwrap();
                } else {
                    ignored.push(request.responder);
                }
            }
        });
        thread::scope(|threads| {
            for caller in 0..4 {
                let client = &client;
                threads.spawn(move || {
                    for call in 0..300 {
                        let request = 2 * (caller * 1000 + call);
                        assert_eq!(client.call(&request).unwrap(), answer(request));
                    }
                });
                threads.spawn(move || {
                    for call in 0..10 {
                        let request = 2 * (caller * 1000 + call) + 1;
                        let call = || client.request(&request).timeout(ms(20)).call();
                        assert_eq!(on_time(ms(20), call).unwrap_err().kind(), ErrorKind::TimedOut);
                    }
                });
            }
        });
        assert_eq!(client.in_flight(), 0);
        drop(client);
        serving.join();
    });
}

#[test]
fn calls_beyond_the_limit_wait_for_their_turn_where_they_are_told_to() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<u64, u64>::open(&pair).unwrap();
        let options = Client::<u64, u64>::options().max_in_flight(2).wait_when_full(true);
        let client = Arc::new(options.timeout(ms(9000)).open(&pair).unwrap());
        let call = |request: u64| {
            let client = client.clone();
            asleep(move || client.call(&request))
        };
        let calls: Vec<_> = (0..6).map(call).collect();
        // Two are with the server, whatever it does; the others have sent nothing yet.
        let mut held: Vec<_> = (0..2).map(|_| server.recv_timeout(ms(5000)).unwrap()).collect();
        assert_eq!(server.recv_timeout(ms(50)).unwrap_err().kind(), ErrorKind::TimedOut);
        let late = on_time(ms(50), || client.request(&9).timeout(ms(50)).call().unwrap_err());
        assert_eq!((late.kind(), late.fate()), (ErrorKind::Overloaded, Some(Fate::NotSent)));
        // Each reply makes room for one more.
        for _ in 0..4 {
            let request = held.remove(0);
            request.responder.send(&answer(request.value)).unwrap();
            held.push(server.recv_timeout(ms(5000)).unwrap());
        }
        for request in held {
            request.responder.send(&answer(request.value)).unwrap();
        }
        for (request, call) in calls.into_iter().enumerate() {
            assert_eq!(call.join().unwrap(), answer(request as u64));
        }
        assert_eq!(client.in_flight(), 0);
    });
}

#[test]
fn one_call_beyond_the_limit_is_refused_at_once_and_the_others_are_answered() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<u64, u64>::open(&pair).unwrap();
        let options = Client::<u64, u64>::options().max_in_flight(3).timeout(ms(9000));
        let client = Arc::new(options.open(&pair).unwrap());
        let calls: Vec<_> = (0..3)
            .map(|request| {
                let client = client.clone();
                aside(move || client.call(&request))
            })
            .collect();
        let held: Vec<_> = (0..3).map(|_| server.recv_timeout(ms(5000)).unwrap()).collect();
        let began = Instant::now();
        assert_eq!(client.call(&9).unwrap_err().kind(), ErrorKind::Overloaded);
        assert!(began.elapsed() <= OVERSHOOT);
        // Control is behind no limit.
        let pinged = client.clone();
        let (tell, told) = std::sync::mpsc::channel();
        let pinging = aside(move || tell.send(pinged.ping(ms(5000)).unwrap()).unwrap());
        let mut pong = None;
        until("the server has read the ping", || {
            server.recv_timeout(ms(1)).map(drop).unwrap_err();
            pong = told.try_recv().ok();
            pong.is_some()
        });
        pinging.join();
        let load = pong.unwrap().server.unwrap();
        assert_eq!((load.taken, load.in_hand, load.waiting), (3, 3, 0));
        for request in held {
            request.responder.send(&answer(request.value)).unwrap();
        }
        for (request, call) in calls.into_iter().enumerate() {
            assert_eq!(call.join().unwrap(), answer(request as u64));
        }
    });
}

#[test]
fn calls_that_are_cut_in_the_middle_of_a_full_fifo_harm_none_of_the_others() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let options = Client::<String, usize>::options().capacity(4096).timeout(ms(9000));
        let client = Arc::new(options.open(&pair).unwrap());
        let stuck = raw::reader(pair.input());
        // One in the pipe and cut there, one behind it that never gets a byte in, and both again.
        for len in [50_000, 100, 50_000, 100] {
            let request = "x".repeat(len);
            client.request(&request).timeout(ms(30)).call().unwrap_err();
        }
        let patient: Vec<_> = (1..=5)
            .map(|len| {
                let client = client.clone();
                asleep(move || client.call(&"y".repeat(len * 1000)))
            })
            .collect();
        let mut server = Server::<String, usize>::open(&pair).unwrap();
        drop(stuck);
        let mut lens = Vec::new();
        for _ in 0..5 {
            let request = server.recv_timeout(ms(5000)).unwrap();
            assert!(request.value.starts_with('y'), "one that was given up");
            lens.push(request.value.len());
            request.responder.send(&request.value.len()).unwrap();
        }
        lens.sort_unstable();
        assert_eq!(lens, [1000, 2000, 3000, 4000, 5000]);
        for (call, len) in patient.into_iter().zip(1..) {
            assert_eq!(call.join().unwrap(), len * 1000);
        }
        until("nothing is in flight", || client.in_flight() == 0);
    });
}
