//! CC11: a FIFO that was replaced by another is noticed within 100 ms, whoever waits on it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use fifowire::{Client, Error, ErrorKind, Fifo, Pair, Receiver, Sender, Server};

use crate::support::time::{asleep, let_pass};
use crate::support::{OVERSHOOT, ms, raw, scene};

/// How soon it must be noticed.
const NOTICED: Duration = ms(100);

/// Puts another FIFO in the place of the one at `path`, in one step.
fn swap(path: &Path) {
    let next = path.with_extension("next");
    raw::make_fifo(&next);
    fs::rename(&next, path).unwrap();
}

fn make(pair: &Pair) {
    raw::make_fifo(pair.input());
    raw::make_fifo(pair.output());
}

fn swap_both(pair: &Pair) {
    swap(pair.input());
    swap(pair.output());
}

fn remove(pair: &Pair) {
    fs::remove_file(pair.input()).unwrap();
    fs::remove_file(pair.output()).unwrap();
}

#[test]
fn cc11_a_waiting_receiver_moves_to_the_new_fifo() {
    scene(&[], |scene| {
        let path = scene.path("a.fifo");
        raw::make_fifo(&path);
        let mut receiver = Receiver::<String>::open(&path).unwrap();
        // With and without a writer that holds the old one open.
        for held in [false, true] {
            let held = held.then(|| raw::writer(&path));
            let receiving = asleep(move || (receiver.recv_timeout(ms(9000)), receiver));
            let began = Instant::now();
            swap(&path);
            let mut sender = Sender::<String>::open(&path).unwrap();
            assert!(began.elapsed() <= NOTICED + OVERSHOOT, "{:?}", began.elapsed());
            sender.send(&"new".into()).unwrap();
            let received;
            (received, receiver) = receiving.join();
            assert_eq!(received.unwrap(), "new");
            drop(held);
        }
        assert_eq!(receiver.stats().replaced, 2);
        fs::remove_file(&path).unwrap();
    });
}

#[test]
fn cc11_what_is_left_in_the_old_fifo_is_read_before_it_is_left() {
    scene(&[], |scene| {
        let path = scene.path("a.fifo");
        raw::make_fifo(&path);
        let mut receiver = Receiver::<u32>::open(&path).unwrap();
        let mut old = Sender::<u32>::open(&path).unwrap();
        (0..10).for_each(|number| old.send(&number).unwrap());
        swap(&path);
        let received: Vec<u32> =
            (0..10).map(|_| receiver.recv_timeout(ms(5000)).unwrap()).collect();
        assert_eq!(received, (0..10).collect::<Vec<_>>());
        fs::remove_file(&path).unwrap();
    });
}

#[test]
fn cc11_a_sender_between_messages_moves_to_the_new_fifo() {
    scene(&[], |scene| {
        let path = scene.path("a.fifo");
        raw::make_fifo(&path);
        // A process that still reads the old one: writing to it would succeed for ever.
        let mut old = raw::reader(&path);
        let mut sender = Sender::<String>::open(&path).unwrap();
        sender.send(&"first".into()).unwrap();
        raw::drain(&mut old);
        swap(&path);
        let mut receiver = Receiver::<String>::open(&path).unwrap();
        let_pass(NOTICED);
        sender.send(&"second".into()).unwrap();
        assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), "second");
        assert!(raw::drain(&mut old).is_empty());
        assert_eq!(sender.stats().reconnects, 1);
        fs::remove_file(&path).unwrap();
    });
}

#[test]
fn cc11_a_sender_inside_a_message_says_so() {
    scene(&[], |scene| {
        let path = scene.path("a.fifo");
        raw::make_fifo(&path);
        let _old = raw::reader(&path);
        let mut sender = Sender::<String>::open(&path).unwrap();
        let sending = asleep(move || {
            (sender.send_timeout(&"x".repeat(200_000), ms(9000)), Instant::now(), sender)
        });
        let began = Instant::now();
        swap(&path);
        let (sent, noticed, mut sender) = sending.join();
        assert!(noticed - began <= NOTICED + OVERSHOOT, "{:?}", noticed - began);
        let error: Error = sent.unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Replaced, Some(&*path)));

        let mut receiver = Receiver::<String>::open(&path).unwrap();
        sender.send(&"next".into()).unwrap();
        assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), "next");
        fs::remove_file(&path).unwrap();
    });
}

#[test]
fn cc11_a_sender_that_waits_for_a_reader_finds_the_one_of_the_new_fifo() {
    scene(&[], |scene| {
        let path = scene.path("a.fifo");
        raw::make_fifo(&path);
        let options = Sender::<String>::options().open_timeout(ms(9000));
        let opening = {
            let path = path.clone();
            asleep(move || options.open(path))
        };
        let began = Instant::now();
        swap(&path);
        let mut receiver = Receiver::<String>::open(&path).unwrap();
        let mut sender = opening.join().unwrap();
        assert!(began.elapsed() <= NOTICED + OVERSHOOT, "{:?}", began.elapsed());
        sender.send(&"found".into()).unwrap();
        assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), "found");
        fs::remove_file(&path).unwrap();
    });
}

#[test]
fn cc11_a_client_moves_to_the_pair_of_the_new_server() {
    scene(&[], |scene| {
        let pair = Pair::at(scene.directory(), "agent").unwrap();
        make(&pair);
        let client = Client::<String, usize>::open(&pair).unwrap();
        let mut old = raw::reader(pair.input());
        let call = asleep(move || {
            let called = client.request(&"to the old".into()).timeout(ms(9000)).call();
            (called.unwrap_err(), Instant::now(), client)
        });
        crate::support::until("the request comes", || !raw::drain(&mut old).is_empty());
        let began = Instant::now();
        swap_both(&pair);
        let (error, noticed, client) = call.join();
        assert!(noticed - began <= NOTICED + OVERSHOOT, "{:?}", noticed - began);
        assert!(matches!(error.kind(), ErrorKind::PeerClosed | ErrorKind::Replaced), "{error}");

        let mut server = Server::<String, usize>::open(&pair).unwrap();
        let call = asleep(move || client.request(&"to the new".into()).timeout(ms(9000)).call());
        let request = server.recv_timeout(ms(5000)).unwrap();
        request.responder.send(&request.value.len()).unwrap();
        assert_eq!(call.join().unwrap(), 10);
        remove(&pair);
    });
}

#[test]
fn cc11_an_idle_client_moves_to_the_pair_of_the_new_server() {
    scene(&[], |scene| {
        let pair = Pair::at(scene.directory(), "agent").unwrap();
        make(&pair);
        let client = Client::<String, usize>::open(&pair).unwrap();
        let old = raw::reader(pair.input());
        let _ = client.request(&"to the old".into()).timeout(ms(20)).call();
        swap_both(&pair);
        let_pass(NOTICED);
        let mut server = Server::<String, usize>::open(&pair).unwrap();
        let serving = asleep(move || {
            let request = server.recv_timeout(ms(5000)).unwrap();
            request.responder.send(&request.value.len())
        });
        let call = client.request(&"to the new".into()).timeout(ms(5000)).call();
        assert_eq!(call.unwrap(), 10);
        serving.join().unwrap();
        drop(old);
        remove(&pair);
    });
}

#[test]
fn cc11_a_waiting_server_moves_to_the_new_pair() {
    scene(&[], |scene| {
        let pair = Pair::at(scene.directory(), "agent").unwrap();
        make(&pair);
        let mut server = Server::<String, usize>::open(&pair).unwrap();
        let serving = asleep(move || {
            let request = server.recv_timeout(ms(9000)).unwrap();
            request.responder.send(&request.value.len()).unwrap();
            server.stats().replaced
        });
        let began = Instant::now();
        swap_both(&pair);
        let client = Client::<String, usize>::open(&pair).unwrap();
        assert_eq!(client.request(&"hello".into()).timeout(ms(5000)).call().unwrap(), 5);
        assert!(began.elapsed() <= NOTICED + OVERSHOOT, "{:?}", began.elapsed());
        assert_eq!(serving.join(), 1);
        remove(&pair);
    });
}

#[test]
fn cc11_a_pinned_fifo_is_not_taken_for_one_that_was_made_anew() {
    scene(&[], |scene| {
        let path = scene.path("a.fifo");
        for _ in 0..20 {
            // Without the pin the inode number is usually given out again at once.
            let fifo = Fifo::create(&path).unwrap();
            fs::remove_file(&path).unwrap();
            raw::make_fifo(&path);
            drop(fifo);
            assert!(path.exists());
            fs::remove_file(&path).unwrap();
        }
    });
}
