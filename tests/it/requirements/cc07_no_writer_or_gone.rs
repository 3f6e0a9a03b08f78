//! CC7: "no writer yet", "writer gone" and "writer silent" are three conditions.

use fifowire::{Client, EndOfWriters, ErrorKind, Fate, Fifo, Pair, Receiver, Sender};

use crate::support::time::{Aside, asleep};
use crate::support::{Scene, ms, raw, scene};

#[test]
fn cc7_a_receiver_tells_no_writer_from_a_silent_one_and_from_one_that_left() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let ends = Receiver::<String>::options().end_of_writers(EndOfWriters::End);
        let mut receiver = ends.clone().open(fifo.path()).unwrap();
        let mut kind = || receiver.recv_timeout(ms(20)).unwrap_err().kind();
        assert_eq!(kind(), ErrorKind::NoWriter, "read() answers 0 here, which is not the end");
        let writer = raw::writer(fifo.path());
        assert_eq!(kind(), ErrorKind::TimedOut);
        drop(writer);
        assert_eq!(kind(), ErrorKind::PeerClosed);
        assert_eq!(kind(), ErrorKind::PeerClosed, "and stays so");
        drop(receiver);
        // A receiver that comes after the last writer has left knows of none.
        let mut receiver = ends.open(fifo.path()).unwrap();
        assert_eq!(receiver.recv_timeout(ms(20)).unwrap_err().kind(), ErrorKind::NoWriter);
    });
}

#[test]
fn cc7_what_a_writer_wrote_before_it_left_comes_before_the_end() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let options = Receiver::<u32>::options().end_of_writers(EndOfWriters::End);
        let mut receiver = options.open(fifo.path()).unwrap();
        let mut sender = Sender::<u32>::open(fifo.path()).unwrap();
        for number in 0..100 {
            sender.send(&number).unwrap();
        }
        drop(sender);
        let received: Vec<u32> = receiver.messages().map(Result::unwrap).collect();
        assert_eq!(received, (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn cc7_a_receiver_that_waits_for_the_next_writer_meets_any_number_of_them() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let mut receiver = Receiver::<u32>::open(fifo.path()).unwrap();
        for number in 0..50 {
            let mut sender = Sender::<u32>::open(fifo.path()).unwrap();
            sender.send(&number).unwrap();
            drop(sender);
            assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), number);
            assert!(receiver.try_recv().unwrap().is_none());
        }
        assert!(receiver.stats().renewals >= 50);
    });
}

#[test]
fn cc7_a_call_tells_a_server_that_never_answers_from_one_that_died() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let (call, server) = call_to_a_raw_server(scene);
        assert_eq!(call.join().kind(), ErrorKind::NoWriter, "it never opened the reply FIFO");
        drop(server);

        let (call, server) = call_to_a_raw_server(scene);
        let replies = raw::writer(pair.output());
        assert_eq!(call.join().kind(), ErrorKind::TimedOut, "it opened it and is silent");
        drop((server, replies));

        let (call, server) = call_to_a_raw_server(scene);
        drop(raw::writer(pair.output()));
        drop(server);
        let error = call.join();
        assert_eq!(error.kind(), ErrorKind::PeerClosed, "it died: {error}");
        assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
        assert!(error.elapsed().unwrap() < ms(300), "before the deadline: {error}");
    });
}

/// A call that a server by hand has received.
fn call_to_a_raw_server(scene: &Scene) -> (Aside<fifowire::Error>, std::fs::File) {
    let pair = Pair::at(scene.directory(), "agent").unwrap();
    let mut server = raw::reader(pair.input());
    let client = Client::<String, String>::open(&pair).unwrap();
    let call = asleep(move || client.request(&"x".into()).timeout(ms(400)).call().unwrap_err());
    crate::support::until("the request comes", || !raw::drain(&mut server).is_empty());
    (call, server)
}
