//! Messages one way, end to end: the clock stops when the receiver has the last of them.
//!
//! Both sides carry plain bytes ([`Bytes`]), because the peer has no codec; the cost of one stands
//! in `parts`. What ours does beside the peer's copy is the frame: its header, its check, and the
//! search for a magic in the payload.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use fifowire::codec::Bytes;
use fifowire::{Fifo, Receiver, Sender};

use super::by_hand;
use super::packet::{SMALL, stamp, stamped};
use super::process::{Cores, Placement, Worker, await_go, measured};
use super::report::{Figure, Report, Target, median};
use super::shared::ends::make_fifo;

pub(crate) const ROLE: &str = "one-way-sender";

/// Rounds of each side, in turn.
const ROUNDS: usize = 9;

/// How the messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// One blocking `write` for each.
    ByHand,
    /// `send` for each, or `feed` for a batch and `flush` behind it.
    Ours { batched: bool, exclusive: bool },
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
struct Load {
    bytes: usize,
    messages: usize,
    capacity: usize,
}

/// A batch: many frames long, and few enough messages that the receiver never waits for them.
const BATCH: usize = 1_000;

const LARGE: usize = 1 << 20;

/// Throughput is that of two cores; where the scheduler puts both ends on one for a while, it is
/// a third of that, for either side.
const PLACEMENT: Placement = Placement::Apart;

pub(crate) fn compare(report: &mut Report) {
    small(report);
    for capacity in [1 << 20, 64 << 10] {
        large(report, capacity);
    }
}

fn small(report: &mut Report) {
    if !report.wants("one way 64 B") {
        return;
    }
    let load = Load { bytes: SMALL, messages: report.count(300_000), capacity: 64 << 10 };
    // Enough of them that a round of the fast kind lasts as long as one of the slow kind.
    let many = Load { messages: load.messages * 6, ..load };
    let sides = [
        (load, Side::ByHand),
        (many, Side::Ours { batched: true, exclusive: false }),
        (many, Side::Ours { batched: true, exclusive: true }),
        (load, Side::Ours { batched: false, exclusive: false }),
        (load, Side::Ours { batched: false, exclusive: true }),
    ];
    let [peer, shared_batch, batch, shared, alone] = rounds(report, sides);
    let rate = |seconds: f64| Figure::PerSecond(seconds.recip());
    let each = |seconds: f64| Figure::Micros(seconds * 1e6);
    let (least, most) = (Target::RatioAtLeast(8.0), Target::RatioAtMost(1.15));
    report.add("one way 64 B, batched, shared", rate(shared_batch), rate(peer), least);
    report.add("one way 64 B, batched, exclusive", rate(batch), rate(peer), least);
    report.add("one way 64 B, each, shared", each(shared), each(peer), most);
    report.add("one way 64 B, each, exclusive", each(alone), each(peer), most);
}

fn large(report: &mut Report, capacity: usize) {
    let name = |kind| format!("one way 1 MiB, capacity {} KiB, {kind}", capacity >> 10);
    if !report.wants(&name("shared")) && !report.wants(&name("exclusive")) {
        return;
    }
    let load = Load { bytes: LARGE, messages: report.count(400), capacity };
    let sides = [
        (load, Side::ByHand),
        (load, Side::Ours { batched: false, exclusive: false }),
        (load, Side::Ours { batched: false, exclusive: true }),
    ];
    let [peer, shared, alone] = rounds(report, sides);
    let rate = |seconds: f64| Figure::GigabytesPerSecond(load.bytes as f64 / seconds / 1e9);
    // The default capacity is there to compare with; what asks for speed asks for room.
    let target = if capacity == LARGE { Target::RatioAtLeast(0.9) } else { Target::None };
    report.add(&name("shared"), rate(shared), rate(peer), target);
    report.add(&name("exclusive"), rate(alone), rate(peer), target);
}

/// The median seconds per message of each side.
fn rounds<const N: usize>(report: &Report, sides: [(Load, Side); N]) -> [f64; N] {
    let mut seconds = [const { Vec::new() }; N];
    for _ in 0..report.count(ROUNDS) {
        for ((load, side), seconds) in sides.into_iter().zip(&mut seconds) {
            seconds.push(round(load, side) / load.messages as f64);
        }
    }
    seconds.map(|mut seconds| median(&mut seconds))
}

fn round(load: Load, side: Side) -> f64 {
    let cores = Cores::of_this_process();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = path(directory.path());
    let [bytes, messages, capacity] =
        [load.bytes, load.messages, load.capacity].map(|n| n.to_string());
    let start = || {
        let arguments = [side.to_argument(), &bytes, &messages, &capacity];
        Worker::start(ROLE, directory.path(), &arguments)
    };
    match side {
        Side::ByHand => {
            make_fifo(&path);
            let worker = start();
            let mut fifo = by_hand::open_reader(&path);
            by_hand::set_capacity(&fifo, load.capacity);
            clock(worker, &cores, || receive_by_hand(&mut fifo, load))
        }
        Side::Ours { .. } => {
            let _fifo = Fifo::create(&path).expect("the directory is empty");
            let options = Receiver::<Vec<u8>>::options().codec(Bytes).capacity(load.capacity);
            let mut receiver = options.open(&path).expect("the FIFO is ours");
            let worker = start();
            clock(worker, &cores, || {
                for number in 0..load.messages {
                    let message = receiver.recv().expect("the sender sends");
                    check(&message, load, number);
                }
            })
        }
    }
}

/// From the word to begin until everything is received.
fn clock(mut worker: Worker, cores: &Cores, receive: impl FnOnce()) -> f64 {
    worker.wait_ready();
    PLACEMENT.settle(cores, 0);
    let began = Instant::now();
    worker.go();
    receive();
    let seconds = began.elapsed().as_secs_f64();
    worker.finish();
    seconds
}

/// Reads in large pieces and looks at every message in place.
fn receive_by_hand(fifo: &mut File, load: Load) {
    let mut buffer = vec![0; load.bytes.max(64 << 10)];
    let (mut number, mut filled) = (0, 0);
    while number < load.messages {
        match fifo.read(&mut buffer[filled..]).expect("the FIFO is readable") {
            0 => panic!("the sender left early"),
            count => filled += count,
        }
        let whole = filled - filled % load.bytes;
        for message in buffer[..whole].chunks_exact(load.bytes) {
            check(message, load, number);
            number += 1;
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
}

/// Nothing was lost and nothing came twice.
fn check(message: &[u8], load: Load, number: usize) {
    assert_eq!(message.len(), load.bytes);
    assert_eq!(stamped(message), number as u64);
    assert_eq!(message[load.bytes - 1], FILLING);
}

const FILLING: u8 = 0x5A;

fn path(directory: &Path) -> PathBuf {
    directory.join("fifo")
}

impl Side {
    const ALL: [(Self, &'static str); 5] = [
        (Self::ByHand, "by-hand"),
        (Self::Ours { batched: false, exclusive: false }, "shared"),
        (Self::Ours { batched: false, exclusive: true }, "exclusive"),
        (Self::Ours { batched: true, exclusive: false }, "batched-shared"),
        (Self::Ours { batched: true, exclusive: true }, "batched-exclusive"),
    ];

    fn to_argument(self) -> &'static str {
        Self::ALL.iter().find(|(side, _)| *side == self).map_or("", |(_, argument)| argument)
    }

    fn from_argument(argument: &str) -> Self {
        let found = Self::ALL.iter().find(|(_, known)| *known == argument);
        found.expect("one of ours").0
    }
}

/// The sender.
pub(crate) fn work(arguments: &[String]) {
    let [directory, side, bytes, messages, capacity] = arguments else { panic!("five arguments") };
    let [bytes, messages, capacity] =
        [bytes, messages, capacity].map(|n| n.parse::<usize>().expect("a number"));
    let path = path(Path::new(directory));
    let mut message = vec![FILLING; bytes];
    let cores = Cores::of_this_process();
    match Side::from_argument(side) {
        Side::ByHand => {
            let mut fifo = by_hand::open_writer(&path);
            by_hand::set_capacity(&fifo, capacity);
            PLACEMENT.settle(&cores, 1);
            await_go();
            measured(|| {
                for number in 0..messages {
                    stamp(&mut message, number as u64);
                    fifo.write_all(&message).expect("the receiver is there");
                }
            });
        }
        Side::Ours { batched, exclusive } => {
            let options = Sender::<Vec<u8>>::options().codec(Bytes).capacity(capacity);
            let mut sender = options.exclusive(exclusive).open(&path).expect("a receiver");
            PLACEMENT.settle(&cores, 1);
            await_go();
            measured(|| {
                for number in 0..messages {
                    stamp(&mut message, number as u64);
                    let sent = if batched { sender.feed(&message) } else { sender.send(&message) };
                    sent.expect("the receiver is there");
                    if batched && (number + 1) % BATCH == 0 {
                        sender.flush().expect("the receiver is there");
                    }
                }
                sender.flush().expect("the receiver is there");
            });
        }
    }
}
