//! What endpoints count, on every front end: each counter is moved by what it names.

use std::fs;
use std::io::Write;
use std::sync::mpsc;

use fifowire::{EndOfWriters, ErrorKind, Fifo, LinkStats, Pair};

use super::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::frame::{Frame, REPLY, REQUEST};
use crate::support::time::{aside, until};
use crate::support::{ByHand, Scene, ms, raw, scene_after};

/// Calls that are answered, that fail and that are pinged, as both sides have counted them.
fn messages_their_bytes_and_their_times<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "answered").unwrap();
    let theirs = Pair::at(scene.directory(), "answered").unwrap();
    let serving = aside(move || {
        F::block_on(async {
            let mut server = F::server(&theirs, 65_536).await.unwrap();
            F::obey(&mut server).await.unwrap();
            F::server_stats(&server)
        })
    });
    let client = F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        assert_eq!(F::client_stats(&client), LinkStats::default());
        for size in [3, 50, 100_000] {
            F::call(&client, &vec![7; size], ms(9000)).await.unwrap();
        }
        F::ping(&client, ms(9000)).await.unwrap();
        F::call(&client, b"fail", ms(9000)).await.unwrap_err();
        F::call(&client, b"stop", ms(9000)).await.unwrap();
        F::client_stats(&client)
    });
    let server = serving.join();
    let bytes = 100_053 + b"failstop".len() as u64;
    assert_eq!((client.sent, client.sent_bytes), (5, bytes));
    assert_eq!((server.received, server.received_bytes, server.taken), (5, bytes, 5));
    assert_eq!((client.received, client.received_bytes), (server.sent, server.sent_bytes));
    assert_eq!((client.received, client.events, server.events), (5, 6, 6));
    for stats in [client, server] {
        assert_eq!((stats.times.count(), stats.in_flight, stats.waiting), (5, 0, 0));
        assert_eq!((stats.queued, stats.queued_bytes), (0, 0));
    }
    let (there_and_back, in_hand) = (client.times, server.times);
    assert!(there_and_back.quantile(0.5) <= there_and_back.largest());
    assert!(in_hand.smallest() <= in_hand.smoothed() && in_hand.smoothed() <= in_hand.largest());
    assert!(in_hand.smallest() < there_and_back.largest(), "{in_hand:?}, {there_and_back:?}");
}

/// A call that is cancelled, one that is late, one that has no answer, and ones that nobody takes.
fn calls_that_come_to_nothing<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "nothing").unwrap();
    let theirs = Pair::at(scene.directory(), "nothing").unwrap();
    let (started, starts) = mpsc::channel();
    let serving = aside(move || {
        F::block_on(async {
            let mut server = F::server(&theirs, 65_536).await.unwrap();
            F::linger(&mut server, started).await.unwrap();
            F::server_stats(&server)
        })
    });
    let client = F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        F::ping(&client, ms(9000)).await.unwrap();
        let in_hand = async || starts.recv().unwrap();
        F::begin_and_cancel(&client, b"wait", in_hand).await.unwrap_err();
        F::call(&client, b"wait", ms(200)).await.unwrap_err();
        F::call(&client, b"stop", ms(9000)).await.unwrap();
        F::client_stats(&client)
    });
    let server = serving.join();
    assert_eq!((client.cancelled, client.expired, client.times.count()), (1, 1, 1));
    // One that is given up is cancelled too, as far as the server knows.
    assert_eq!((server.cancelled, server.unanswered, server.taken), (2, 2, 3));

    let server = &mut ByHand::at(&pair);
    F::block_on(async {
        let client = F::canceller(&pair, ms(50)).await.unwrap();
        let queued = || F::client_stats(&client).in_flight;
        let ends = F::begin_all(&client, b"who?", 2, || {
            assert_eq!(queued(), 2);
            let asked = server.next();
            server.answer(&asked, REPLY, b"I");
            // Twice: the second is to nobody.
            server.answer(&asked, REPLY, b"I");
            let asked = server.next();
            server.answer(&asked, REPLY, b"too");
        });
        assert!(ends.await.iter().all(|end| end.is_ok()));
        let heard = async || until("the request", || server.try_next().is_some());
        F::begin_and_cancel(&client, b"deaf?", heard).await.unwrap_err();
        let stats = F::client_stats(&client);
        assert_eq!((stats.late, stats.poisoned, stats.in_flight), (1, 1, 0));
    });
}

/// What else may lie in the request FIFO, and a client that leaves on purpose.
fn what_is_no_request<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "strange").unwrap();
    F::block_on(async {
        let mut server = F::server(&pair, 65_536).await.unwrap();
        let mut requests = raw::writer(pair.input());
        let _replies = raw::reader(pair.output());
        let good = Frame::request(7, 1, b"good");
        let out_of_time = Frame::new(REQUEST, 7, 3, &[0; 20]);
        for bytes in [
            b"no frame at all".to_vec(),
            good.bytes()[..20].to_vec(),
            Frame { kind: 77, ..good.clone() }.bytes(),
            Frame { to: 12_345, ..good.clone() }.bytes(),
            Frame::part(REQUEST, (7, 2), 0, u32::MAX, b"the first of too many").bytes(),
            out_of_time.bytes(),
            good.bytes(),
        ] {
            requests.write_all(&bytes).unwrap();
        }
        let (message, responder) = F::next(&mut server, ms(9000)).await.unwrap();
        assert_eq!(message, b"good");
        let stats = F::server_stats(&server);
        assert_eq!((stats.taken, stats.in_flight, stats.times.count()), (1, 1, 0));
        assert_eq!((stats.torn, stats.unknown, stats.late), (1, 1, 1), "{stats:?}");
        assert_eq!((stats.too_large, stats.expired), (1, 1), "{stats:?}");
        assert!(stats.skipped_bytes >= 35, "{stats:?}");
        F::answer(responder, b"answer").await.unwrap();
        assert_eq!(F::server_stats(&server).times.count(), 1);
    });
}

/// Ends that are opened for one peer after the other.
fn the_next_peer<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "next").unwrap();
    let serve = || {
        let theirs = Pair::at(scene.directory(), "next").unwrap();
        aside(move || {
            F::block_on(async {
                let mut server = F::server(&theirs, 65_536).await.unwrap();
                F::obey(&mut server).await.unwrap();
                let stats = F::server_stats(&server);
                assert!(F::close_server(server, ms(9000)).await);
                stats
            })
        })
    };
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        let error = F::call(&client, b"nobody", ms(20)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoReader);
        let refused = F::client_stats(&client).open_refusals;
        assert!(refused > 1, "{refused}");
        let first = serve();
        F::call(&client, b"stop", ms(9000)).await.unwrap();
        assert_eq!(F::client_stats(&client).reopened, 0);
        assert_eq!(first.join().reopened, 0);
        let second = serve();
        while F::call(&client, b"anew", ms(9000)).await.is_err() {}
        let stats = F::client_stats(&client);
        assert!(stats.reopened >= 1 && stats.peers_lost >= 1, "{stats:?}");
        assert_eq!(stats.farewells, 1);
        F::call(&client, b"stop", ms(9000)).await.unwrap();
        second.join();
    });
}

fn the_next_fifo<F: Front>(scene: &Scene) {
    let pair = Pair::at(scene.directory(), "replaced").unwrap();
    for path in [pair.input(), pair.output()] {
        raw::make_fifo(path);
    }
    F::block_on(async {
        let mut server = F::server(&pair, 65_536).await.unwrap();
        let another = scene.path("another");
        raw::make_fifo(&another);
        fs::rename(another, pair.input()).unwrap();
        while F::server_stats(&server).reopened == 0 {
            F::next(&mut server, ms(20)).await.map(drop).unwrap_err();
        }
        assert_eq!((F::server_stats(&server).replaced, F::server_stats(&server).reopened), (1, 1));
    });
    for path in [pair.input(), pair.output()] {
        fs::remove_file(path).unwrap();
    }
}

/// A client that never reads, while a server has much for it.
fn a_client_that_is_given_up<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "stuck").unwrap();
    F::block_on(async {
        let mut server = F::strict_server(&pair, ms(50)).await.unwrap();
        let _replies = raw::reader(pair.output());
        let mut requests = raw::writer(pair.input());
        requests.write_all(&Frame::request(7, 1, b"much").bytes()).unwrap();
        let (_, responder) = F::next(&mut server, ms(9000)).await.unwrap();
        let error = F::answer(responder, &vec![1; 1_000_000]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteStalled);
        let stats = F::server_stats(&server);
        assert_eq!((stats.evicted, stats.unanswered, stats.sent), (1, 1, 0), "{stats:?}");
        assert_eq!((stats.queued, stats.queued_bytes, stats.in_flight), (0, 0, 0));
    });
}

/// Messages one way: queued, written, received, and ends that are opened again.
fn messages_one_way<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("one_way.fifo")).unwrap();
    F::block_on(async {
        let mut receiver = F::receiver(fifo.path(), EndOfWriters::Wait).await.unwrap();
        let mut sender = F::sender(fifo.path(), ms(200)).await.unwrap();
        for message in [&b"one"[..], b"three"] {
            F::feed(&mut sender, message).await.unwrap();
        }
        let fed = F::sender_stats(&sender);
        assert!((fed.messages, fed.bytes) == (2, 8) && fed.queued_bytes > 8, "{fed:?}");
        F::flush(&mut sender).await.unwrap();
        assert_eq!(F::sender_stats(&sender).queued_bytes, 0);
        for message in [&b"one"[..], b"three"] {
            assert_eq!(F::recv(&mut receiver, ms(9000)).await.unwrap(), message);
        }
        let stats = F::receiver_stats(&receiver);
        assert_eq!((stats.messages, stats.bytes, stats.reopened), (2, 8, 0));

        drop(receiver);
        F::send(&mut sender, b"nobody").await.unwrap_err();
        let refused = F::sender_stats(&sender);
        assert!(refused.open_refusals > 1 && refused.reopened == 0, "{refused:?}");
        let mut receiver = F::receiver(fifo.path(), EndOfWriters::Wait).await.unwrap();
        F::send(&mut sender, b"again").await.unwrap();
        let stats = F::sender_stats(&sender);
        assert_eq!((stats.reopened, stats.reconnects, stats.queued_bytes), (1, 1, 0));
        assert_eq!(F::recv(&mut receiver, ms(9000)).await.unwrap(), b"again");
        drop(sender);
        F::recv(&mut receiver, ms(20)).await.unwrap_err();
        let stats = F::receiver_stats(&receiver);
        assert_eq!((stats.renewals, stats.reopened, stats.open_refusals), (1, 1, 0));
    });
}

fn plain_bytes<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("bytes.fifo")).unwrap();
    F::block_on(async {
        let mut reader = F::reader(fifo.path(), EndOfWriters::Wait, ms(100)).await.unwrap();
        let mut writer = F::writer(fifo.path(), ms(9000)).await.unwrap();
        for bytes in [&b"one"[..], b"three"] {
            F::write_all(&mut writer, bytes).await.unwrap();
            assert_eq!(F::read(&mut reader, &mut [0; 100]).await.unwrap(), bytes.len());
        }
        let (read, written) = (F::reader_stats(&reader), F::writer_stats(&writer));
        assert_eq!((read.bytes, read.reads, read.reopened), (8, 2, 0));
        assert_eq!((written.bytes, written.writes), (8, 2));
        drop(writer);
        F::read(&mut reader, &mut [0; 100]).await.unwrap_err();
        let read = F::reader_stats(&reader);
        assert_eq!((read.bytes, read.reads, read.reopened), (8, 2, 1));
    });
}

fn all<F: Front>(scene: &Scene) {
    messages_their_bytes_and_their_times::<F>(scene);
    calls_that_come_to_nothing::<F>(scene);
    what_is_no_request::<F>(scene);
    the_next_peer::<F>(scene);
    the_next_fifo::<F>(scene);
    a_client_that_is_given_up::<F>(scene);
    messages_one_way::<F>(scene);
    plain_bytes::<F>(scene);
}

#[test]
fn blocking_counters() {
    scene_after(Blocking::prepare, |scene| {
        all::<Blocking>(scene);
    });
}

#[test]
fn tokio_current_thread_counters() {
    scene_after(TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene);
    });
}

#[test]
fn tokio_multi_thread_counters() {
    scene_after(TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene);
    });
}

#[test]
fn async_io_counters() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene);
    });
}
