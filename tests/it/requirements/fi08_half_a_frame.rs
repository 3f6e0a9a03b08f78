//! FI8: half a frame in the pipe disables neither deadline nor cancel.

use std::future::Future;
use std::io::Write;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use fifowire::{EndOfWriters, ErrorKind, Fate, Fifo, Pair, Phase};

use crate::fronts::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::by_hand::EPOCH;
use crate::support::frame::{CANCEL, CANCELLED, Frame, REPLY, REQUEST};
use crate::support::time::aside;
use crate::support::{ByHand, OVERSHOOT, Scene, ms, raw, scene_after, until};

const TIMEOUT: Duration = ms(150);
const PATIENCE: Duration = ms(9000);

#[test]
fn fi8_half_a_frame_holds_up_no_blocking_endpoint() {
    scene_after(Blocking::prepare, |scene| {
        all::<Blocking>(scene);
    });
}

#[test]
fn fi8_half_a_frame_holds_up_no_endpoint_on_tokio_current_thread() {
    scene_after(TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene);
    });
}

#[test]
fn fi8_half_a_frame_holds_up_no_endpoint_on_tokio_multi_thread() {
    scene_after(TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene);
    });
}

#[test]
fn fi8_half_a_frame_holds_up_no_endpoint_on_async_io() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene);
    });
}

fn all<F: Front>(scene: &Scene) {
    a_receiver_keeps_its_deadline::<F>(scene);
    a_server_keeps_its_deadline::<F>(scene);
    a_server_hears_a_cancel_behind_half_a_request::<F>(scene);
    a_client_keeps_its_deadline_and_hears_the_acknowledgement::<F>(scene);
    a_client_keeps_the_deadline_of_its_cancel::<F>(scene);
    a_request_that_is_half_written_is_cancelled_at_once::<F>(scene);
}

/// So long that what comes behind half of its frame is far from where the frame would end.
const LONG: [u8; 3000] = [b'x'; 3000];

fn half(frame: &Frame) -> Vec<u8> {
    let mut bytes = frame.bytes();
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// As [`on_time`](crate::support::on_time).
async fn in_time<T>(call: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let answer = call.await;
    let took = began.elapsed();
    assert!(took >= TIMEOUT && took <= TIMEOUT + OVERSHOOT, "it took {took:?} of {TIMEOUT:?}");
    answer
}

fn a_receiver_keeps_its_deadline<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
    F::block_on(async {
        let mut receiver = F::receiver(fifo.path(), EndOfWriters::Wait).await.unwrap();
        let mut writer = raw::writer(fifo.path());
        writer.write_all(&half(&Frame::message(1, 1, &LONG))).unwrap();
        let error = in_time(F::recv(&mut receiver, TIMEOUT)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}

fn a_server_keeps_its_deadline<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "asked").unwrap();
    F::block_on(async {
        let mut server = F::server(&pair, 65_536).await.unwrap();
        let mut writer = raw::writer(pair.input());
        writer.write_all(&half(&Frame::request(1, 1, &LONG))).unwrap();
        let error = in_time(F::next(&mut server, TIMEOUT)).await.map(|next| next.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}

fn a_server_hears_a_cancel_behind_half_a_request<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "lingering").unwrap();
    let theirs = Pair::at(scene.directory(), "lingering").unwrap();
    let mut replies = raw::reader(pair.output());
    let (started, starts) = channel();
    let serving = aside(move || {
        F::block_on(async {
            let mut server = F::server(&theirs, 65_536).await.unwrap();
            F::linger(&mut server, started).await.unwrap();
        });
    });
    let mut writer = raw::writer(pair.input());
    writer.write_all(&Frame::request(1, 1, b"wait").bytes()).unwrap();
    starts.recv_timeout(PATIENCE).unwrap();
    writer.write_all(&half(&Frame::request(1, 2, &LONG))).unwrap();
    writer.write_all(&Frame::new(CANCEL, 1, 1, b"").bytes()).unwrap();
    let mut bytes = Vec::new();
    until("the acknowledgement comes", || {
        bytes.extend(raw::drain(&mut replies));
        Frame::parse(&bytes).is_some()
    });
    let (cancelled, _) = Frame::parse(&bytes).unwrap();
    let cancelled = cancelled.unmasked();
    assert_eq!((cancelled.kind, cancelled.id, &*cancelled.payload), (CANCELLED, 1, &[2][..]));
    writer.write_all(&Frame::request(1, 3, b"stop").bytes()).unwrap();
    serving.join();
}

fn a_client_keeps_its_deadline_and_hears_the_acknowledgement<F: Front>(scene: &Scene) {
    half_replies::<F>(scene, "acknowledged", true, async |client, halves| {
        let error = in_time(F::call(client, b"half", TIMEOUT)).await.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::TimedOut, Phase::Reply));
        halves.recv().unwrap();
        let heard = async || halves.recv().unwrap();
        let error = F::begin_and_cancel(client, b"half", heard).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Cancelled, Some(Fate::Delivered)));
    });
}

fn a_client_keeps_the_deadline_of_its_cancel<F: Front>(scene: &Scene) {
    half_replies::<F>(scene, "silent", false, async |client, halves| {
        let heard = async || halves.recv().unwrap();
        let cancel = in_time(F::begin_and_cancel(client, b"half", heard));
        let error = cancel.await.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::TimedOut, Phase::Cancel));
    });
}

/// Plays with a client whose server writes half of the reply to "half", and then is asked for a
/// whole one.
fn half_replies<F: Front>(
    scene: &Scene,
    name: &str,
    acknowledges: bool,
    play: impl AsyncFnOnce(&F::Client, std::sync::mpsc::Receiver<()>),
) {
    let pair = Pair::create(scene.directory(), name).unwrap();
    let mut server = ByHand::at(&pair);
    let (written, halves) = channel();
    let serving = aside(move || {
        loop {
            let frame = server.next();
            match frame.kind {
                REQUEST if frame.asked() == b"half" => {
                    server.write(&half(&frame.answer(REPLY, EPOCH, &LONG)));
                    written.send(()).unwrap();
                }
                REQUEST => break server.answer(&frame, REPLY, frame.asked()),
                CANCEL if acknowledges => server.answer(&frame, CANCELLED, &[2]),
                _ => {}
            }
        }
    });
    F::block_on(async {
        let client = F::canceller(&pair, TIMEOUT).await.unwrap();
        play(&client, halves).await;
        assert_eq!(F::call(&client, b"whole", PATIENCE).await.unwrap(), b"whole");
        assert_eq!(F::in_flight(&client), 0);
        assert!(F::client_stats(&client).torn > 0);
    });
    serving.join();
}

/// Half of our own frame is in a pipe that is full.
fn a_request_that_is_half_written_is_cancelled_at_once<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "full").unwrap();
    let server = ByHand::at(&pair);
    F::block_on(async {
        let client = F::canceller(&pair, TIMEOUT).await.unwrap();
        let began = Instant::now();
        let full = async || assert!(server.unread_bytes() > 4096, "{}", server.unread_bytes());
        let error = F::begin_and_cancel(&client, &[1; 200_000], full).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Cancelled, Some(Fate::NotSent)));
        assert!(began.elapsed() <= OVERSHOOT, "{:?}", began.elapsed());
        assert_eq!((F::in_flight(&client), F::client_stats(&client).poisoned), (0, 0));
    });
}
