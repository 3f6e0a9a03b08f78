//! CC6: distinct kinds of error, each with path, phase, elapsed and deadline.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use fifowire::codec::Bytes;
use fifowire::{Client, Error, ErrorKind, Fifo, Pair, Phase, Receiver, Sender, Server};

use crate::support::frame::Frame;
use crate::support::time::asleep;
use crate::support::{OVERSHOOT, ms, raw, scene};

const TIMEOUT: Duration = ms(30);

#[test]
fn cc6_every_timeout_names_its_kind_phase_path_and_times() {
    scene(&[], |scene| {
        let (path, nowhere) = (scene.path("a.fifo"), scene.path("nowhere.fifo"));
        let fifo = Fifo::create(&path).unwrap();
        let bytes = || Sender::<Vec<u8>>::options().codec(Bytes).open_timeout(TIMEOUT);
        let receive = || Receiver::<String>::options().open_timeout(TIMEOUT);

        let error = bytes().open(&path).unwrap_err();
        check(&error, ErrorKind::NoReader, Phase::Open, &path);
        let error = bytes().open(&nowhere).unwrap_err();
        check(&error, ErrorKind::NotFound, Phase::Open, &nowhere);
        let mut receiver = receive().open(&path).unwrap();
        let error = receive().open(&path).unwrap_err();
        check(&error, ErrorKind::Busy, Phase::Open, &path);
        let error = receiver.recv_timeout(TIMEOUT).unwrap_err();
        check(&error, ErrorKind::NoWriter, Phase::Read, &path);
        let mut sender = bytes().open(&path).unwrap();
        let error = receiver.recv_timeout(TIMEOUT).unwrap_err();
        check(&error, ErrorKind::TimedOut, Phase::Read, &path);
        let error = sender.send_timeout(&vec![0; 200_001], TIMEOUT).unwrap_err();
        check(&error, ErrorKind::WriteStalled, Phase::Write, &path);
        assert!(error.progress().is_some() && error.fate().is_some());
        drop(receiver);
        let error = sender.send_timeout(&vec![0], TIMEOUT).unwrap_err();
        check(&error, ErrorKind::NoReader, Phase::Open, &path);
        drop(fifo);
    });
}

#[test]
fn cc6_every_failed_call_names_its_kind_phase_path_and_times() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let client = Client::<String, String>::open(&pair).unwrap();
        let call = |text: String| client.request(&text).timeout(TIMEOUT).call().unwrap_err();
        check(&call("x".into()), ErrorKind::NoReader, Phase::Open, pair.input());
        let server = raw::reader(pair.input());
        check(&call("x".into()), ErrorKind::NoWriter, Phase::Reply, pair.output());
        let _replies = raw::writer(pair.output());
        check(&call("x".into()), ErrorKind::TimedOut, Phase::Reply, pair.output());
        check(&call("x".repeat(200_001)), ErrorKind::WriteStalled, Phase::Write, pair.input());
        let error = client.ping(TIMEOUT).unwrap_err();
        check(&error, ErrorKind::WriteStalled, Phase::Write, pair.input());
        drop(server);

        let second = Client::<String, String>::options().open_timeout(TIMEOUT).open(&pair);
        check(&second.unwrap_err(), ErrorKind::Busy, Phase::Open, pair.output());
        let mut server = Server::<String, String>::open(&pair).unwrap();
        let second = Server::<String, String>::options().open_timeout(TIMEOUT).open(&pair);
        check(&second.unwrap_err(), ErrorKind::Busy, Phase::Open, pair.input());
        let quiet = asleep(move || server.recv_timeout(TIMEOUT).map(|request| request.value));
        check(&quiet.join().unwrap_err(), ErrorKind::TimedOut, Phase::Read, pair.input());
    });
}

#[test]
fn cc6_a_reply_that_nobody_reads_names_the_reply_fifo() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let options = Server::<String, String>::options().reply_timeout(TIMEOUT);
        let mut server = options.open(&pair).unwrap();
        let asked = Frame::request(1, 1, b"\"x\"").bytes();
        raw::writer(pair.input()).write_all(&asked).unwrap();
        let request = server.recv_timeout(ms(5000)).unwrap();
        let error = request.responder.send(&"y".into()).unwrap_err();
        check(&error, ErrorKind::NoReader, Phase::Open, pair.output());
    });
}

#[test]
fn cc6_an_error_that_time_has_no_part_in_comes_at_once_and_names_its_path() {
    scene(&[], |scene| {
        let path = scene.path("a.fifo");
        let fifo = Fifo::create(&path).unwrap();
        let error = Fifo::create(&path).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::AlreadyExists, Phase::Create));
        assert_eq!(error.path(), Some(&*path));
        let error = Fifo::open(scene.path("nowhere")).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::NotFound, Phase::Open));

        let file = scene.path("file");
        fs::write(&file, "content").unwrap();
        let error = Sender::<String>::open(&file).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::NotAFifo, Some(&*file)));
        assert!(error.elapsed().unwrap() <= OVERSHOOT, "not retried: {error}");
        assert_eq!(error.deadline(), Some(Duration::from_secs(30)));
        fs::remove_file(&file).unwrap();

        let _receiver = Receiver::<String>::open(&path).unwrap();
        let mut sender = Sender::<String>::options().max_message(10).open(&path).unwrap();
        let error = sender.send(&"more than ten bytes".into()).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::TooLarge, Phase::Encode));
        assert_eq!(error.path(), Some(&*path));
        sender.send(&"fits".into()).unwrap();
        drop(fifo);
    });
}

fn check(error: &Error, kind: ErrorKind, phase: Phase, path: &Path) {
    assert_eq!((error.kind(), error.phase()), (kind, phase), "{error}");
    assert_eq!(error.path(), Some(path), "{error}");
    assert_eq!(error.deadline(), Some(TIMEOUT), "{error}");
    let elapsed = error.elapsed().unwrap();
    assert!(elapsed >= TIMEOUT && elapsed <= TIMEOUT + OVERSHOOT, "{error}");
    let text = error.to_string();
    for part in [path.to_str().unwrap(), kind.hint(), &phase.to_string(), "30ms"] {
        assert!(text.contains(part), "{part:?} is missing in {text:?}");
    }
}
