//! FI7: every complete frame that was read is delivered before anything is waited for again. Two
//! messages in one write are one read: nothing announces the second, and it must not lie there
//! until something else comes.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use fifowire::{EndOfWriters, Fifo, Pair};

use crate::fronts::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::by_hand::EPOCH;
use crate::support::frame::{Frame, REPLY};
use crate::support::time::aside;
use crate::support::{ByHand, Scene, ms, raw, scene_after};

const ROUNDS: u64 = 50;

/// From the write to the delivery of the second.
const WITHIN: Duration = ms(10);

const PATIENCE: Duration = ms(9000);

#[test]
fn fi7_a_blocking_endpoint_gets_both_of_two_in_one_write() {
    scene_after(Blocking::prepare, |scene| {
        all::<Blocking>(scene);
    });
}

#[test]
fn fi7_an_endpoint_on_tokio_current_thread_gets_both_of_two_in_one_write() {
    scene_after(TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene);
    });
}

#[test]
fn fi7_an_endpoint_on_tokio_multi_thread_gets_both_of_two_in_one_write() {
    scene_after(TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene);
    });
}

#[test]
fn fi7_an_endpoint_on_async_io_gets_both_of_two_in_one_write() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene);
    });
}

fn all<F: Front>(scene: &Scene) {
    to_a_receiver::<F>(scene);
    to_a_server::<F>(scene);
    to_a_client::<F>(scene);
}

fn to_a_receiver<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
    let pen = Pen::at(fifo.path(), Frame::message);
    F::block_on(async {
        let mut receiver = F::receiver(fifo.path(), EndOfWriters::Wait).await.unwrap();
        let (mut pen, mut waits) = (pen, Vec::new());
        for _ in 0..ROUNDS {
            pen.write_two_soon();
            for message in TWO {
                assert_eq!(F::recv(&mut receiver, PATIENCE).await.unwrap(), message);
            }
            waits.push(pen.written().elapsed());
        }
        check("a receiver", waits);
    });
}

fn to_a_server<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "served").unwrap();
    let _replies = raw::reader(pair.output());
    let pen = Pen::at(pair.input(), Frame::request);
    F::block_on(async {
        let mut server = F::server(&pair, 65_536).await.unwrap();
        let (mut pen, mut waits) = (pen, Vec::new());
        for _ in 0..ROUNDS {
            pen.write_two_soon();
            for request in TWO {
                assert_eq!(F::next(&mut server, PATIENCE).await.unwrap().0, request);
            }
            waits.push(pen.written().elapsed());
        }
        check("a server", waits);
    });
}

fn to_a_client<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "called").unwrap();
    let mut server = ByHand::at(&pair);
    let (written, writes) = channel();
    let serving = aside(move || {
        for _ in 0..ROUNDS {
            let asked = [server.next(), server.next()];
            let both = asked.map(|asked| asked.answer(REPLY, EPOCH, asked.asked()).bytes());
            written.send(Instant::now()).unwrap();
            server.write(&both.concat());
        }
    });
    F::block_on(async {
        let client = &F::client(&pair, 65_536).await.unwrap();
        let mut waits = Vec::new();
        for _ in 0..ROUNDS {
            F::together(2, |party| async move {
                assert_eq!(F::call(client, TWO[party], PATIENCE).await.unwrap(), TWO[party]);
            })
            .await;
            waits.push(writes.recv().unwrap().elapsed());
        }
        check("a client", waits);
    });
    serving.join();
}

const TWO: [&[u8]; 2] = [b"one", b"two"];

/// Writes two frames in one write, from a thread of its own, while whoever asked for it begins to
/// wait for them.
struct Pen {
    ask: Sender<()>,
    written: Receiver<Instant>,
}

impl Pen {
    fn at(path: &Path, frame: fn(u64, u64, &[u8]) -> Frame) -> Self {
        let ((ask, asked), (tell, written), path) = (channel(), channel(), path.to_owned());
        thread::spawn(move || {
            let mut writer = raw::writer(&path);
            for (round, ()) in asked.iter().enumerate() {
                let id = 2 * round as u64 + 1;
                let both = [frame(1, id, TWO[0]).bytes(), frame(1, id + 1, TWO[1]).bytes()];
                tell.send(Instant::now()).unwrap();
                writer.write_all(&both.concat()).unwrap();
            }
        });
        Self { ask, written }
    }

    fn write_two_soon(&mut self) {
        self.ask.send(()).unwrap();
    }

    /// When the last two were written.
    fn written(&mut self) -> Instant {
        self.written.recv().unwrap()
    }
}

/// Now and then a machine has better things to do; what is left lying is late every time.
fn check(to: &str, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let (p90, max) = (waits[waits.len() * 9 / 10], waits[waits.len() - 1]);
    eprintln!("two in one write to {to}: p90 {p90:?}, max {max:?}");
    assert!(p90 <= WITHIN, "to {to}: {waits:?}");
}
