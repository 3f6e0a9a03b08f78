//! What a host that listens by `tracing` is told, on every front end; and what it is not.

use std::fs;
use std::future::{Future, poll_fn};
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use fifowire::{EndOfWriters, ErrorKind, Fifo, Pair};
use futures_util::FutureExt;
use tower::ServiceExt;
use tracing::Level;

use crate::fronts::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::frame::{Frame, MAGIC, REQUEST};
use crate::support::log::{current_span, listen};
use crate::support::time::{aside, asleep, let_pass};
use crate::support::{Scene, ms, raw, scene, scene_after, until};

/// Payload, which nobody but its receiver may see.
const SECRET: &str = "hunter2-hunter2";

/// What the handler says when it is told to fail.
const REFUSAL: &str = "rather not";

/// Awaits a future and sees that no poll of it leaves a span open behind.
async fn outside<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        assert_eq!(current_span(), None, "a poll has left its span open");
        polled
    })
    .await
}

fn a_call_and_its_request_are_spans_with_path_and_id<F: Front>(scene: &Scene) {
    let log = listen();
    let pair = Pair::create(scene.directory(), "spans").unwrap();
    let theirs = Pair::at(scene.directory(), "spans").unwrap();
    let serving = aside(move || {
        F::block_on(async {
            let mut server = F::server(&theirs, 65_536).await.unwrap();
            F::obey(&mut server).await.unwrap();
        });
    });
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        // Whoever is told may use what it is told of: nothing is told under a lock.
        let asked = client.clone();
        log.react(move || assert!(F::in_flight(&asked) <= 1));
        let call = |message| outside(F::call(&client, message, ms(9000)));
        assert_eq!(call(SECRET.as_bytes()).await.unwrap(), SECRET.as_bytes());
        assert_eq!(call(b"fail").await.unwrap_err().kind(), ErrorKind::Remote);
        assert_eq!(call(b"panic").await.unwrap_err().kind(), ErrorKind::Remote);
        assert_eq!(call(b"in which span?").await.unwrap(), b"request");
        outside(F::ping(&client, ms(9000))).await.unwrap();
        assert_eq!(call(b"stop").await.unwrap(), b"stop");
        log.react_no_more();
    });
    serving.join();
    let calls = log.spans("call", pair.input());
    let requests = log.spans("request", pair.input());
    assert_eq!((calls.len(), requests.len()), (6, 5));
    for span in calls.iter().chain(&requests) {
        assert_eq!(span.told.level, Level::DEBUG);
        assert!(span.entered > 0 && span.handles == 0, "{span:?}");
    }
    let (mut asked, answered): (Vec<_>, Vec<_>) = (
        calls.iter().map(|span| span.told.number("id")).collect(),
        requests.iter().map(|span| span.told.number("id")).collect(),
    );
    assert!(asked.is_sorted_by(|one, next| one < next), "{asked:?}");
    asked.remove(4); // the ping, which is no request
    assert_eq!(asked, answered);
}

fn waiting_is_told_once_a_second_and_not_more<F: Front>(scene: &Scene) {
    let (log, wait) = (listen(), ms(2200));
    let pair = Pair::create(scene.directory(), "waits").unwrap();
    let lonely = Fifo::create(scene.path("lonely.fifo")).unwrap();
    let path = lonely.path().to_owned();
    let receiving = asleep(move || {
        F::block_on(async {
            let mut receiver = F::receiver(&path, EndOfWriters::Wait).await.unwrap();
            for _ in 0..5 {
                // Each has a second of its own, and is over before that.
                F::recv(&mut receiver, ms(50)).await.unwrap_err();
            }
            F::recv(&mut receiver, wait).await.unwrap_err();
        });
    });
    let _reads_nothing = raw::reader(pair.input());
    F::block_on(async {
        let client = F::client(&pair, 4096).await.unwrap();
        let asked = client.clone();
        log.react(move || assert!(F::in_flight(&asked) <= 1));
        outside(F::call(&client, SECRET.as_bytes(), wait)).await.unwrap_err();
        log.react_no_more();
    });
    receiving.join();
    for (path, phase) in [(lonely.path(), "read"), (pair.output(), "reply")] {
        let told = log.events("waiting", path);
        assert!(
            told.iter().all(|told| told.level == Level::DEBUG && told.fields["phase"] == phase)
        );
        let elapsed: Vec<_> = told.iter().map(|told| told.number("elapsed_ms")).collect();
        let [first, second] = elapsed[..] else { panic!("{path:?}: {elapsed:?}") };
        assert!(first >= 1000 && second >= first + 999, "{elapsed:?}");
    }
}

fn an_end_that_is_renewed_or_replaced_is_told<F: Front>(scene: &Scene) {
    let log = listen();
    let path = scene.path("reopened.fifo");
    raw::make_fifo(&path);
    let counts =
        || ["renewed", "replaced", "opened"].map(|field| log.sum("reopened", &path, field));
    F::block_on(async {
        let mut receiver = F::receiver(&path, EndOfWriters::Wait).await.unwrap();
        for life in 1..=2_u64 {
            let mut writer = raw::writer(&path);
            let frame = Frame::message(life, 1, SECRET.as_bytes());
            writer.write_all(&frame.bytes()).unwrap();
            let message = outside(F::recv(&mut receiver, ms(9000))).await.unwrap();
            assert_eq!(message, SECRET.as_bytes());
            drop(writer);
            F::recv(&mut receiver, ms(20)).await.unwrap_err();
        }
        let began = Instant::now();
        while counts() != [2, 0, 0] && began.elapsed() < ms(9000) {
            F::recv(&mut receiver, ms(20)).await.unwrap_err();
        }
        assert_eq!(counts(), [2, 0, 0]);
        fs::remove_file(&path).unwrap();
        raw::make_fifo(&path);
        let began = Instant::now();
        while counts() != [2, 1, 1] && began.elapsed() < ms(9000) {
            F::recv(&mut receiver, ms(20)).await.unwrap_err();
        }
        assert_eq!(counts(), [2, 1, 1]);
    });
    fs::remove_file(&path).unwrap();
    assert!(log.events("reopened", &path).iter().all(|told| told.level == Level::DEBUG));
}

fn a_client_that_left_and_another_that_came_are_told<F: Front>(scene: &Scene) {
    let log = listen();
    let pair = Pair::create(scene.directory(), "lives").unwrap();
    F::block_on(async {
        let mut server = F::server(&pair, 65_536).await.unwrap();
        for life in 1..=2_u64 {
            let replies = raw::reader(pair.output());
            let mut requests = raw::writer(pair.input());
            let request = Frame::request(life, 1, SECRET.as_bytes());
            requests.write_all(&request.bytes()).unwrap();
            let (message, responder) = F::next(&mut server, ms(9000)).await.unwrap();
            assert_eq!(message, SECRET.as_bytes());
            drop((responder, replies, requests));
            F::next(&mut server, ms(20)).await.map(drop).unwrap_err();
        }
        let sums = || {
            let renewed = log.sum("reopened", pair.input(), "renewed");
            (renewed, log.sum("reopened", pair.output(), "opened"))
        };
        let began = Instant::now();
        while sums() != (2, 1) && began.elapsed() < ms(9000) {
            F::next(&mut server, ms(20)).await.map(drop).unwrap_err();
        }
        assert_eq!(sums(), (2, 1));
    });
}

fn what_is_torn_is_told_as_a_sum_once_a_second<F: Front>(scene: &Scene) {
    let log = listen();
    let fifo = Fifo::create(scene.path("torn.fifo")).unwrap();
    let pair = Pair::create(scene.directory(), "torn").unwrap();
    let began = Instant::now();
    F::block_on(async {
        let mut receiver = F::receiver(fifo.path(), EndOfWriters::Wait).await.unwrap();
        let mut writer = raw::writer(fifo.path());
        let good = Frame::message(9, 9, b"good").bytes();
        assert!(!SECRET.as_bytes().contains(&MAGIC[0]));
        for _ in 0..50 {
            writer.write_all(&[SECRET.as_bytes(), &good].concat()).unwrap();
            assert_eq!(outside(F::recv(&mut receiver, ms(9000))).await.unwrap(), b"good");
        }
        let cut = Frame::message(9, 8, SECRET.repeat(10).as_bytes()).bytes();
        writer.write_all(&[&cut[..100], &good].concat()).unwrap();
        assert_eq!(F::recv(&mut receiver, ms(9000)).await.unwrap(), b"good");
        let sums = || {
            let skipped = log.sum("torn", fifo.path(), "skipped_bytes");
            (skipped, log.sum("torn", fifo.path(), "torn"))
        };
        let all = (50 * SECRET.len() as u64 + 100, 1);
        while sums() != all && began.elapsed() < ms(9000) {
            F::recv(&mut receiver, ms(20)).await.unwrap_err();
        }
        assert_eq!(sums(), all);

        // A connection tells so too.
        let mut server = F::server(&pair, 65_536).await.unwrap();
        let mut requests = raw::writer(pair.input());
        requests.write_all(SECRET.as_bytes()).unwrap();
        let began = Instant::now();
        let skipped = || log.sum("torn", pair.input(), "skipped_bytes");
        while skipped() != SECRET.len() as u64 && began.elapsed() < ms(9000) {
            F::next(&mut server, ms(20)).await.map(drop).unwrap_err();
        }
        assert_eq!(skipped(), SECRET.len() as u64);
    });
    let told = log.events("torn", fifo.path());
    assert!(told.iter().all(|told| told.level == Level::WARN));
    let seconds = began.elapsed().as_secs() as usize;
    assert!(told.len() <= seconds + 1, "{} in {seconds} s: {told:?}", told.len());
}

fn a_reader_that_makes_no_room_is_told_as_evicted<F: Front>(scene: &Scene) {
    let log = listen();
    let sent = Fifo::create(scene.path("sent.fifo")).unwrap();
    let written = Fifo::create(scene.path("written.fifo")).unwrap();
    let pair = Pair::create(scene.directory(), "stuck").unwrap();
    let large = SECRET.repeat(20_000).into_bytes();
    let _read_nothing = [sent.path(), written.path(), pair.input()].map(raw::reader);
    F::block_on(async {
        let mut sender = F::sender(sent.path(), ms(100)).await.unwrap();
        let error = outside(F::send(&mut sender, &large)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteStalled);
        let mut writer = F::writer(written.path(), ms(100)).await.unwrap();
        outside(F::write_all(&mut writer, &large)).await.unwrap_err();
        let client = F::client(&pair, 4096).await.unwrap();
        let asked = client.clone();
        log.react(move || assert!(F::in_flight(&asked) <= 1));
        let error = outside(F::call(&client, &large, ms(100))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteStalled);
        log.react_no_more();
    });
    for path in [sent.path(), written.path(), pair.input()] {
        let told = log.events("evicted", path);
        let [evicted] = &told[..] else { panic!("{path:?}: {told:?}") };
        assert_eq!((evicted.number("given_up"), evicted.level), (1, Level::WARN));
    }
    // What it had of the message before is not whole, and a call stands in its span.
    assert_eq!(log.sum("torn", sent.path(), "torn"), 1);
    let call = &log.spans("call", pair.input())[0].told;
    assert_eq!(log.events("evicted", pair.input())[0].call.as_ref(), Some(&call.fields["id"]));
}

fn a_client_that_does_not_read_its_reply_is_told_as_evicted<F: Front>(scene: &Scene) {
    let log = listen();
    let pair = Pair::create(scene.directory(), "deaf").unwrap();
    let theirs = Pair::at(scene.directory(), "deaf").unwrap();
    let serving = aside(move || {
        F::block_on(async {
            let mut server = F::server(&theirs, 4096).await.unwrap();
            F::obey(&mut server).await.unwrap();
        });
    });
    let mut requests = raw::writer(pair.input());
    let _reads_nothing = raw::reader(pair.output());
    let mut ask = |id, message: &[u8]| {
        // The caller waits for 200 ms, which do not age on the way.
        let mut payload = 200_000_u64.to_le_bytes().to_vec();
        payload.extend_from_slice(&[0; 10]);
        payload.extend_from_slice(message);
        requests.write_all(&Frame::new(REQUEST, 9, id, &payload).bytes()).unwrap();
    };
    ask(77, SECRET.repeat(2000).as_bytes());
    until("it is told", || !log.events("evicted", pair.output()).is_empty());
    ask(78, b"stop");
    serving.join();
    let evicted = &log.events("evicted", pair.output())[0];
    assert_eq!((evicted.number("given_up"), evicted.call.as_deref()), (1, Some("77")));
}

/// A subscriber is the host's and may panic: the call panics with it, and what has come is there
/// for the next.
fn a_subscriber_that_panics_loses_nothing<F: Front>(scene: &Scene) {
    let log = listen();
    let fifo = Fifo::create(scene.path("panics.fifo")).unwrap();
    let panics_once = || {
        let panicked = AtomicBool::new(false);
        log.react(move || assert!(panicked.swap(true, Relaxed), "the host panics"));
    };
    F::block_on(async {
        let mut receiver = F::receiver(fifo.path(), EndOfWriters::Wait).await.unwrap();
        let mut writer = raw::writer(fifo.path());
        panics_once();
        let mut panics = 0;
        for text in ["one", "two", "three"] {
            // What is skipped and the message behind it are found in one step.
            let frame = Frame::message(9, 9, text.as_bytes()).bytes();
            writer.write_all(&[SECRET.as_bytes(), &frame].concat()).unwrap();
            let message = loop {
                let receiving = AssertUnwindSafe(F::recv(&mut receiver, ms(2000)));
                match receiving.catch_unwind().await {
                    Ok(message) => break message.unwrap(),
                    Err(_) => panics += 1,
                }
            };
            assert_eq!(message, text.as_bytes());
        }
        assert_eq!(panics, 1);
        log.react_no_more();
        drop((receiver, writer));

        let mut reader = F::reader(fifo.path(), EndOfWriters::Wait, ms(50)).await.unwrap();
        for byte in [b"1", b"2"] {
            raw::writer(fifo.path()).write_all(byte).unwrap();
            let mut buffer = [0; 8];
            assert_eq!(F::read(&mut reader, &mut buffer).await.unwrap(), 1);
            // That the writer has left is told now, or kept back for a second.
            F::read(&mut reader, &mut buffer).await.unwrap_err();
        }
        let_pass(ms(1000));
        panics_once();
        let mut writer = raw::writer(fifo.path());
        writer.write_all(b"3").unwrap();
        let mut buffer = [0; 8];
        let count = loop {
            let reading = AssertUnwindSafe(F::read(&mut reader, &mut buffer));
            if let Ok(read) = reading.catch_unwind().await {
                break read.unwrap();
            }
        };
        assert_eq!(&buffer[..count], b"3");
        log.react_no_more();
    });
}

fn all<F: Front>(scene: &Scene) {
    a_call_and_its_request_are_spans_with_path_and_id::<F>(scene);
    waiting_is_told_once_a_second_and_not_more::<F>(scene);
    an_end_that_is_renewed_or_replaced_is_told::<F>(scene);
    a_client_that_left_and_another_that_came_are_told::<F>(scene);
    what_is_torn_is_told_as_a_sum_once_a_second::<F>(scene);
    a_reader_that_makes_no_room_is_told_as_evicted::<F>(scene);
    a_client_that_does_not_read_its_reply_is_told_as_evicted::<F>(scene);
    a_subscriber_that_panics_loses_nothing::<F>(scene);
    listen().holds_none_of(&[SECRET, REFUSAL]);
}

#[test]
fn blocking_tells() {
    scene_after(Blocking::prepare, |scene| {
        all::<Blocking>(scene);
    });
}

#[test]
fn tokio_current_thread_tells() {
    scene_after(TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene);
    });
}

#[test]
fn tokio_multi_thread_tells() {
    scene_after(TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene);
    });
}

#[test]
fn async_io_tells() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene);
    });
}

#[test]
fn a_call_of_a_service_is_a_span_too() {
    scene(&[], |scene| {
        let log = listen();
        let pair = Pair::create(scene.directory(), "service").unwrap();
        TokioCurrent::block_on(async {
            let options = fifowire::tokio::Client::<String, String>::options();
            let client = options.timeout(ms(50)).open(&pair).await.unwrap();
            outside(client.oneshot(SECRET.to_owned())).await.unwrap_err();
        });
        let calls = log.spans("call", pair.input());
        let [call] = &calls[..] else { panic!("{calls:?}") };
        assert!(call.told.number("id") > 0 && call.entered > 0 && call.handles == 0, "{call:?}");
        log.holds_none_of(&[SECRET]);
    });
}
