//! CC1: one absolute deadline over queue, lock, open, write and read; overshoot at most 50 ms.

use std::time::Instant;

use fifowire::codec::Bytes;
use fifowire::{Client, ErrorKind, Fate, Fifo, Pair, Receiver, Sender, Server};

use crate::support::time::{aside, asleep, let_pass};
use crate::support::{OVERSHOOT, ms, on_time, raw, scene};

const TIMEOUT: std::time::Duration = ms(150);

/// More than any pipe holds by default.
const LARGE: usize = 200_001;

#[test]
fn cc1_open_ends_on_time_without_a_reader_a_fifo_or_the_lock() {
    scene(&[], |scene| {
        let path = scene.path("a.fifo");
        let send = || Sender::<String>::options().open_timeout(TIMEOUT).open(&path);
        let receive = || Receiver::<String>::options().open_timeout(TIMEOUT).open(&path);
        assert_eq!(on_time(TIMEOUT, send).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(on_time(TIMEOUT, receive).unwrap_err().kind(), ErrorKind::NotFound);

        let _fifo = Fifo::create(&path).unwrap();
        assert_eq!(on_time(TIMEOUT, send).unwrap_err().kind(), ErrorKind::NoReader);

        let _receiver = receive().unwrap();
        assert_eq!(on_time(TIMEOUT, receive).unwrap_err().kind(), ErrorKind::Busy);

        let alone = || Sender::<String>::options().exclusive(true).open_timeout(TIMEOUT);
        let _alone = alone().open(&path).unwrap();
        assert_eq!(on_time(TIMEOUT, send).unwrap_err().kind(), ErrorKind::Busy);
        let error = on_time(TIMEOUT, || alone().open(&path)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
    });
}

#[test]
fn cc1_send_ends_on_time_while_the_reader_does_not_read() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let _reader = raw::reader(fifo.path());
        for exclusive in [false, true] {
            let options = Sender::<Vec<u8>>::options().codec(Bytes).timeout(TIMEOUT);
            let mut sender = options.exclusive(exclusive).open(fifo.path()).unwrap();
            let error = on_time(TIMEOUT, || sender.send(&vec![0; LARGE])).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WriteStalled);
            // The FIFO is full now, and a small message does not fit either.
            let error = on_time(TIMEOUT, || sender.send(&vec![0; 4000])).unwrap_err();
            assert_eq!(
                (error.kind(), error.fate()),
                (ErrorKind::WriteStalled, Some(Fate::NotSent))
            );
        }
    });
}

#[test]
fn cc1_recv_ends_on_time_with_and_without_a_writer() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let mut receiver = Receiver::<String>::open(fifo.path()).unwrap();
        let mut recv = || on_time(TIMEOUT, || receiver.recv_timeout(TIMEOUT)).unwrap_err().kind();
        assert_eq!(recv(), ErrorKind::NoWriter);
        let writer = raw::writer(fifo.path());
        assert_eq!(recv(), ErrorKind::TimedOut);
        drop(writer);
        assert_eq!(recv(), ErrorKind::TimedOut);
    });
}

#[test]
fn cc1_a_send_does_not_start_its_time_anew_when_a_late_reader_comes() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let first = raw::reader(fifo.path());
        let options = Sender::<Vec<u8>>::options().codec(Bytes).timeout(ms(300));
        let mut sender = options.open(fifo.path()).unwrap();
        drop(first);
        let sending = asleep(move || on_time(ms(300), || sender.send(&vec![0; LARGE])));
        let_pass(TIMEOUT);
        // The reader comes halfway and never reads: opening took its part of the one deadline.
        let _late = raw::reader(fifo.path());
        let error = sending.join().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteStalled);
        assert!(error.progress().unwrap().written > 0, "the late reader was noticed: {error}");
    });
}

#[test]
fn cc1_a_call_ends_on_time_whatever_it_waits_for() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let client = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).open(&pair).unwrap();
        let call = |len: usize| {
            let request = vec![0; len];
            let call = || client.request(&request).timeout(TIMEOUT).call();
            on_time(TIMEOUT, call).unwrap_err()
        };
        assert_eq!(call(1).kind(), ErrorKind::NoReader);

        let server = raw::reader(pair.input());
        let holder = Sender::<String>::options().exclusive(true).open(pair.input()).unwrap();
        let locked = call(1);
        assert_eq!((locked.kind(), locked.fate()), (ErrorKind::Busy, Some(Fate::NotSent)));
        drop(holder);

        assert_eq!(call(1).kind(), ErrorKind::NoWriter);
        let _writer = raw::writer(pair.output());
        assert_eq!(call(1).kind(), ErrorKind::TimedOut);
        assert_eq!(call(LARGE).kind(), ErrorKind::WriteStalled);
        drop(server);
        assert_eq!(client.in_flight(), 0);
    });
}

#[test]
fn cc1_a_call_in_the_queue_behind_a_stuck_one_ends_at_its_own_deadline() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let client = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).open(&pair).unwrap();
        let _server = raw::reader(pair.input());
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let request = vec![0; LARGE];
                let call = || client.request(&request).timeout(ms(400)).call();
                assert_eq!(on_time(ms(400), call).unwrap_err().kind(), ErrorKind::WriteStalled);
            });
            while client.in_flight() == 0 {
                std::thread::yield_now();
            }
            for _ in 0..2 {
                threads.spawn(|| {
                    let call = || client.request(&vec![1]).timeout(TIMEOUT).call();
                    let error = on_time(TIMEOUT, call).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::WriteStalled);
                    assert_eq!(error.fate(), Some(Fate::NotSent));
                });
            }
        });
    });
}

#[test]
fn cc1_a_call_does_not_start_its_time_anew_at_each_phase() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let client = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).open(&pair).unwrap();
        let call = asleep(move || {
            let request = vec![0; LARGE];
            on_time(ms(400), || client.request(&request).timeout(ms(400)).call())
        });
        let_pass(ms(120));
        let mut server = raw::reader(pair.input());
        let_pass(ms(120));
        raw::take(&mut server, LARGE);
        let _replies = raw::writer(pair.output());
        assert_eq!(call.join().unwrap_err().kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn cc1_an_absolute_deadline_that_has_passed_is_answered_at_once() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let client = Client::<String, String>::open(&pair).unwrap();
        let began = Instant::now();
        let error = client.request(&"x".into()).deadline(began).call().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoReader);
        let mut receiver = Receiver::<String>::open(pair.input()).unwrap();
        assert_eq!(receiver.recv_deadline(began).unwrap_err().kind(), ErrorKind::NoWriter);
        assert!(began.elapsed() <= OVERSHOOT);
    });
}

#[test]
fn cc1_a_server_ends_on_time_without_a_request_and_without_a_reader_of_its_reply() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let options = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes).reply_timeout(TIMEOUT);
        let mut server = options.open(&pair).unwrap();
        let recv = || server.recv_timeout(TIMEOUT).map(|request| request.value);
        assert_eq!(on_time(TIMEOUT, recv).unwrap_err().kind(), ErrorKind::NoWriter);

        let client = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).open(&pair).unwrap();
        let call = aside(move || client.request(&vec![0]).timeout(ms(20)).call());
        let request = server.recv_timeout(ms(5000)).unwrap();
        assert_eq!(call.join().unwrap_err().kind(), ErrorKind::TimedOut, "the server is there");
        // The client is gone with its call, and nobody else wants the reply.
        let began = Instant::now();
        assert_eq!(request.responder.send(&vec![0]).unwrap_err().kind(), ErrorKind::PeerClosed);
        assert!(began.elapsed() <= OVERSHOOT);
    });
}

#[test]
fn cc1_a_reply_that_the_client_does_not_read_is_given_up_on_time() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let options = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes).reply_timeout(TIMEOUT);
        let mut server = options.open(&pair).unwrap();
        // A client by hand, that asks and never reads.
        let _client = raw::reader(pair.output());
        let mut requests = raw::writer(pair.input());
        let asked = crate::support::frame::Frame::request(1, 1, b"x").bytes();
        std::io::Write::write_all(&mut requests, &asked).unwrap();
        let request = server.recv_timeout(ms(5000)).unwrap();
        let error = on_time(TIMEOUT, || request.responder.send(&vec![0; LARGE])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteStalled);
    });
}
