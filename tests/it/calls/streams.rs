//! Streams within blocking calls, and what is counted of calls.

use std::io::{self, Read, Write};
use std::sync::mpsc;
use std::time::Duration;

use fifowire::{Client, EndOfWriters, Pair, Server};

use crate::support::time::aside;
use crate::support::{ms, scene};

#[test]
fn a_download_that_has_failed_never_reads_as_ended() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "fails").unwrap();
        let theirs = Pair::at(scene.directory(), "fails").unwrap();
        let serving = aside(move || {
            let options = Server::<u32, u32>::options().end_of_writers(EndOfWriters::End);
            let mut server = options.open(&theirs).unwrap();
            server
                .serve_streams(|_, replies, _| {
                    replies.writer().write_all(&[7; 100])?;
                    Err(io::Error::other("no more paper"))
                })
                .unwrap();
        });
        let client = Client::<u32, u32>::open(&pair).unwrap();
        let mut download = client.request(&1).timeout(ms(9000)).download().unwrap();
        let mut bytes = Vec::new();
        assert!(download.read_to_end(&mut bytes).is_err());
        assert_eq!(bytes, [7; 100]);
        for _ in 0..2 {
            assert!(download.read(&mut [0; 10]).is_err(), "what came is not the whole");
        }
        drop(download);
        drop(client);
        serving.join();
    });
}

#[test]
fn a_notification_reaches_a_server_of_streams_and_what_it_answers_is_dropped() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "quiet").unwrap();
        let theirs = Pair::at(scene.directory(), "quiet").unwrap();
        let (told, tells) = mpsc::channel();
        let serving = aside(move || {
            let options = Server::<u32, u32>::options().end_of_writers(EndOfWriters::End);
            let mut server = options.open(&theirs).unwrap();
            let served = server.serve_streams(|number, replies, context| {
                let sent = replies.send(&number).and_then(|()| replies.send(&number));
                told.send((number, context.wants_reply(), context.wants_stream())).unwrap();
                sent
            });
            served.unwrap();
        });
        let client = Client::<u32, u32>::open(&pair).unwrap();
        client.notify(&1).unwrap();
        assert_eq!(tells.recv_timeout(Duration::from_secs(9)), Ok((1, false, false)));
        let taken: Vec<_> = client.request(&2).stream().unwrap().map(Result::unwrap).collect();
        assert_eq!((taken, tells.recv()), (vec![2, 2], Ok((2, true, true))));
        assert_eq!(client.stats().late, 0);
        drop(client);
        serving.join();
    });
}

#[test]
fn no_round_trip_between_two_threads_takes_no_time() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "timed").unwrap();
        let theirs = Pair::at(scene.directory(), "timed").unwrap();
        let serving = aside(move || {
            let options = Server::<u32, u32>::options().end_of_writers(EndOfWriters::End);
            let mut server = options.open(&theirs).unwrap();
            server.serve(|number, _| Ok::<_, String>(number)).unwrap();
        });
        let client = Client::<u32, u32>::open(&pair).unwrap();
        for number in 0..3000 {
            assert_eq!(client.call(&number).unwrap(), number);
        }
        let times = client.stats().times;
        // Two system calls on either side.
        assert!(times.smallest() > Some(Duration::from_micros(1)), "{times:?}");
        drop(client);
        serving.join();
    });
}
