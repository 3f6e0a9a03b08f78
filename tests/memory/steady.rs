//! A steady stream of small messages and small calls allocates nothing.

use std::sync::Barrier;
use std::thread;

use fifowire::codec::{Codec, Json, Postcard};
use fifowire::{Client, EndOfWriters, Fifo, Pair, Receiver, Sender, Server};
use serde::{Deserialize, Serialize};

use crate::allocator::{allocations, count};
use crate::support::time::aside;
use crate::support::{Scene, scene};

/// A value that takes no memory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    sensor: u64,
    value: f64,
    flags: [u8; 16],
}

const READING: Reading = Reading { sensor: 7, value: 21.5, flags: [1; 16] };

/// Messages until every buffer has its size.
const WARM_UP: u64 = 500;
const MESSAGES: u64 = 10_000;

#[test]
fn small_messages_one_by_one_allocate_nothing() {
    scene(&[], |scene| {
        for exclusive in [false, true] {
            let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
            one_by_one(&fifo, Postcard, exclusive);
            one_by_one(&fifo, Json, exclusive);
        }
    });
}

fn one_by_one<C: Codec<Reading>>(fifo: &Fifo, codec: C, exclusive: bool) {
    let options = Receiver::<Reading>::options().codec(codec.clone());
    let mut receiver = options.open(fifo.path()).unwrap();
    let options = Sender::<Reading>::options().codec(codec).exclusive(exclusive);
    let mut sender = options.open(fifo.path()).unwrap();
    let mut pass = |messages| {
        for _ in 0..messages {
            sender.send(&READING).unwrap();
            assert_eq!(receiver.recv().unwrap(), READING);
        }
    };
    pass(WARM_UP);
    let ((), taken) = count(|| pass(MESSAGES));
    assert_eq!(taken.allocations, 0, "exclusive: {exclusive}, {taken:?}");
}

#[test]
fn small_messages_in_batches_allocate_nothing() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let options = Receiver::<Reading>::options().codec(Postcard);
        let mut receiver = options.open(fifo.path()).unwrap();
        let options = Sender::<Reading>::options().codec(Postcard).exclusive(true);
        let mut sender = options.open(fifo.path()).unwrap();
        let mut pass = |messages| {
            for _ in 0..messages / 100 {
                (0..100).for_each(|_| sender.feed(&READING).unwrap());
                sender.flush().unwrap();
                (0..100).for_each(|_| assert_eq!(receiver.recv().unwrap(), READING));
            }
        };
        pass(WARM_UP);
        let ((), taken) = count(|| pass(MESSAGES));
        assert_eq!(taken.allocations, 0, "{taken:?}");
    });
}

#[test]
fn a_stream_between_two_threads_allocates_nothing_on_either() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let options = Receiver::<Reading>::options().codec(Postcard);
        let mut receiver = options.open(fifo.path()).unwrap();
        let mut sender = Sender::<Reading>::options().codec(Postcard).open(fifo.path()).unwrap();
        let sending = aside(move || {
            let mut pass = |messages| (0..messages).for_each(|_| sender.send(&READING).unwrap());
            pass(WARM_UP);
            count(|| pass(MESSAGES)).1
        });
        let mut pass = |messages| {
            (0..messages).for_each(|_| assert_eq!(receiver.recv().unwrap(), READING));
        };
        pass(WARM_UP);
        assert_eq!(count(|| pass(MESSAGES)).1.allocations, 0, "receiving");
        assert_eq!(sending.join().allocations, 0, "sending");
    });
}

#[test]
fn small_calls_allocate_nothing_on_either_side() {
    scene(&[], |scene| calls_of(scene, 1));
}

#[test]
fn small_calls_of_several_threads_allocate_hardly_anything() {
    scene(&[], |scene| calls_of(scene, 3));
}

fn calls_of(scene: &Scene, callers: u64) {
    let pair = Pair::create(scene.directory(), "agent").unwrap();
    let options = Server::<Reading, Reading>::options().codec(Postcard);
    let mut server = options.end_of_writers(EndOfWriters::End).open(&pair).unwrap();
    let options = Client::<Reading, Reading>::options().codec(Postcard);
    let client = options.open(&pair).unwrap();
    let serving = aside(move || {
        // What the server had taken when it was warm, and when the steady part was over.
        let (mut served, mut warm, mut last) = (0, 0, 0);
        let ended = server.serve(|reading, _| {
            served += 1;
            if served == callers * WARM_UP {
                warm = allocations();
            }
            if served == callers * (WARM_UP + MESSAGES) {
                last = allocations();
            }
            Ok::<_, String>(reading)
        });
        ended.unwrap();
        last - warm
    });
    let warm = Barrier::new(callers as usize);
    thread::scope(|threads| {
        for _ in 0..callers {
            threads.spawn(|| {
                let pass = |calls| {
                    (0..calls).for_each(|_| assert_eq!(client.call(&READING).unwrap(), READING));
                };
                pass(WARM_UP);
                warm.wait();
                let ((), taken) = count(|| pass(MESSAGES));
                // How many calls meet in the client differs from one moment to the next, and each
                // needs a place and a body; both are kept for those that come.
                let most = if callers == 1 { 0 } else { MESSAGES / 100 };
                assert!(taken.allocations <= most, "a caller, {taken:?}");
            });
        }
    });
    drop(client);
    let taken = serving.join();
    assert!(taken <= if callers == 1 { 0 } else { MESSAGES / 100 }, "the server: {taken}");
}
