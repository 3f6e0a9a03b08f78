//! CC12: waiting is told at most once a second; payload is never told, logged or printed.

use std::error::Error as _;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fifowire::codec::{Postcard, Text};
use fifowire::{Client, Error, ErrorKind, Fifo, Pair, Phase, Receiver, Sender, Server, Waiting};

use crate::support::time::{aside, asleep};
use crate::support::{ms, raw, scene};

/// Two whole seconds and a bit.
const WAIT: Duration = ms(2300);

#[test]
fn cc12_waiting_is_told_once_a_second_and_not_more() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let lonely = Fifo::create(scene.path("lonely.fifo")).unwrap();
        let full = Fifo::create(scene.path("full.fifo")).unwrap();
        let told = Arc::new(Told::default());

        let (path, sees) = (lonely.path().to_owned(), told.clone());
        let options = Sender::<String>::options().on_waiting(move |waiting| sees.tell(waiting));
        let open = asleep(move || options.open_timeout(WAIT).open(path).map(drop));

        let _reads_nothing = raw::reader(full.path());
        let sees = told.clone();
        let options = Sender::<String>::options().on_waiting(move |waiting| sees.tell(waiting));
        let mut sender = options.open(full.path()).unwrap();
        let send = asleep(move || sender.send_timeout(&SECRET.repeat(20_000), WAIT));

        let sees = told.clone();
        let options = Server::<String, String>::options();
        let options = options.on_waiting(move |waiting| sees.tell(waiting));
        let mut server = options.open(&pair).unwrap();
        let held = Arc::new(Mutex::new(None));
        let holder = held.clone();
        let serve = asleep(move || {
            *holder.lock().unwrap() = Some(server.recv_timeout(ms(9000)).unwrap().responder);
            server.recv_timeout(WAIT).map(|request| drop(request.value))
        });

        let sees = told.clone();
        let options = Client::<String, String>::options();
        let options = options.on_waiting(move |waiting| sees.tell(waiting));
        let client = options.timeout(WAIT).open(&pair).unwrap();
        let call = asleep(move || client.call(&SECRET.into()).map(drop));

        for wait in [open, send, serve, call] {
            wait.join().unwrap_err();
        }
        drop(held);
        let expected = [
            (lonely.path().to_owned(), Phase::Open),
            (full.path().to_owned(), Phase::Write),
            (pair.input().to_owned(), Phase::Read),
            (pair.output().to_owned(), Phase::Reply),
        ];
        let told = told.0.lock().unwrap();
        for (path, phase) in expected {
            let elapsed: Vec<_> =
                told.iter().filter(|t| t.0 == path && t.1 == phase).map(|t| t.2).collect();
            assert_eq!(elapsed.len(), 2, "{phase} {}: {elapsed:?}", path.display());
            assert!(elapsed[0] >= ms(1000) && elapsed[1] - elapsed[0] >= ms(1000), "{elapsed:?}");
        }
        assert_eq!(told.len(), 8, "{told:?}");
    });
}

/// What was told, and when.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<(std::path::PathBuf, Phase, Duration)>>);

impl Told {
    fn tell(&self, waiting: &Waiting<'_>) {
        no_payload(waiting);
        let told = (waiting.path.to_owned(), waiting.phase, waiting.elapsed);
        self.0.lock().unwrap().push(told);
    }
}

#[test]
fn cc12_a_short_wait_is_not_told() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let told = Arc::new(AtomicUsize::new(0));
        let count = told.clone();
        let options = Receiver::<String>::options().on_waiting(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let mut receiver = options.open(fifo.path()).unwrap();
        for _ in 0..10 {
            receiver.recv_timeout(ms(110)).unwrap_err();
        }
        assert_eq!(told.load(Ordering::Relaxed), 0, "each wait has a second of its own");
    });
}

/// What must not be seen outside of the messages themselves.
const SECRET: &str = "hunter2-hunter2";

fn no_payload(value: &impl Debug) {
    let (short, long) = (format!("{value:?}"), format!("{value:#?}"));
    assert!(!short.contains("hunter2") && !long.contains("hunter2"), "payload in {short}");
    // Nor as a list of bytes.
    assert!(!short.contains("104, 117, 110"), "payload in {short}");
}

fn no_payload_in_error(error: &Error) {
    no_payload(error);
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let mut source = error.source();
    while let Some(cause) = source {
        assert!(!format!("{cause} {cause:?}").contains("hunter2"), "{cause:?}");
        source = cause.source();
    }
}

#[test]
fn cc12_no_error_of_a_codec_quotes_the_message() {
    scene(&[], |scene| {
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let mut texts = Sender::<String>::options().codec(Text).open_timeout(ms(5000));
        let secret = format!("\"{SECRET}\"");
        let mut receiver = Receiver::<u32>::open(fifo.path()).unwrap();
        texts.clone().open(fifo.path()).unwrap().send(&secret).unwrap();
        let error = receiver.recv_timeout(ms(5000)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        no_payload_in_error(&error);
        drop(receiver);

        let mut receiver = Receiver::<bool>::options().codec(Postcard).open(fifo.path()).unwrap();
        texts = texts.max_message(8);
        let mut sender = texts.open(fifo.path()).unwrap();
        no_payload_in_error(&sender.send(&secret).unwrap_err());
        sender.send(&"hunter2".into()).unwrap();
        let error = receiver.recv_timeout(ms(5000)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        no_payload_in_error(&error);
    });
}

#[test]
fn cc12_no_error_and_no_debug_of_a_call_shows_the_request_or_the_reply() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<String, String>::open(&pair).unwrap();
        let client = Arc::new(Client::<String, String>::open(&pair).unwrap());
        let secret = SECRET.to_owned();
        let request = client.request(&secret).timeout(ms(20));
        no_payload(&request);
        no_payload_in_error(&request.call().unwrap_err());
        for wrong_type in [true, false] {
            let caller = client.clone();
            let call = aside(move || caller.request(&SECRET.into()).timeout(ms(5000)).call());
            let request = server.recv_timeout(ms(5000)).unwrap();
            no_payload(&request);
            no_payload(&request.responder);
            if wrong_type {
                drop(request);
                no_payload_in_error(&call.join().unwrap_err());
            } else {
                request.responder.send(&SECRET.into()).unwrap();
                call.join().unwrap();
            }
        }
        no_payload(&client);
        no_payload(&server);
    });
}

#[test]
fn cc12_a_server_whose_codec_refuses_a_request_does_not_quote_it() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        let client = Client::<String, String>::open(&pair).unwrap();
        let call = aside(move || client.request(&SECRET.into()).timeout(ms(5000)).call());
        server.recv_timeout(ms(200)).map(|request| request.value).unwrap_err();
        let error = call.join().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        no_payload_in_error(&error);
    });
}
