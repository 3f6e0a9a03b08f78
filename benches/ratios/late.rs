//! A sender that waits for its reader: how soon it notices, and what the waiting costs.
//!
//! The peer tries a non-blocking `open` every ten milliseconds, as careful programs do by hand. A
//! blocking `open` would notice at once and could not be given up; that is no choice here.
//!
//! The clock starts just before the reader's own call of `open`, because a reader that blocks in
//! it cannot say when it has arrived. The delay before that call is no synchronisation: it spreads
//! the arrivals over the time between two attempts, and a sender that was not yet waiting is one
//! more point of that spread.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fifowire::{ErrorKind, Sender};
use nix::fcntl::OFlag;

use super::by_hand;
use super::report::{Figure, Report, Target, percentile};
use super::shared::ends::make_fifo;
use super::shared::processor_time;

/// Arrivals of each kind and each side. The 95th percentile of 120 has five above it.
const ARRIVALS: usize = 120;

/// How long the sender waits in vain while its processor time is taken.
const VAIN: Duration = Duration::from_millis(1_500);

/// How the reader opens.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    /// As `cat` does: it waits inside `open`, and the kernel tells nobody.
    Blocked,
    /// As an endpoint of the library does.
    NonBlocking,
}

/// How the sender waits.
#[derive(Clone, Copy, Debug)]
enum Side {
    Ours,
    ByHand,
}

pub(crate) fn compare(report: &mut Report) {
    let (ten, one) = (Duration::from_millis(10), Duration::from_millis(1));
    for (name, arrival, most) in [
        ("late reader blocked in open, p95", Arrival::Blocked, ten),
        ("late reader non-blocking, p95", Arrival::NonBlocking, one),
    ] {
        if report.wants(name) {
            let [ours, peer] = arrivals(report, arrival);
            report.add(name, ours, peer, Target::OursAtMost(Figure::time(most)));
        }
    }
    let name = "waiting for a reader, processor time";
    if report.wants(name) {
        let [ours, peer] = [Side::Ours, Side::ByHand].map(wait_in_vain);
        report.add(name, ours, peer, Target::OursAtMost(Figure::Percent(2.0)));
    }
}

fn arrivals(report: &Report, arrival: Arrival) -> [Figure; 2] {
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for number in 0..report.count(ARRIVALS) {
        // The fractions of a multiple of the golden ratio fill their range evenly, in no step with
        // any timer.
        let fraction = (number as f64 * 0.618_034).fract();
        let delay = Duration::from_secs_f64(0.008 + 0.022 * fraction);
        ours.push(notice(Side::Ours, arrival, delay));
        peer.push(notice(Side::ByHand, arrival, delay));
    }
    [ours, peer].map(|mut micros| Figure::Micros(percentile(&mut micros, 95)))
}

/// Microseconds from a reader's arrival until the sender that waits for it has opened.
fn notice(side: Side, arrival: Arrival, delay: Duration) -> f64 {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("fifo");
    make_fifo(&path);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            thread::sleep(delay);
            let arrived = Instant::now();
            (arrived, arrive(&path, arrival))
        });
        let opened = match side {
            Side::Ours => {
                let sender = Sender::<u64>::open(&path).expect("the reader comes");
                let opened = Instant::now();
                drop(sender);
                opened
            }
            Side::ByHand => {
                let fifo = retry_open(&path, Duration::MAX).expect("the reader comes");
                let opened = Instant::now();
                drop(fifo);
                opened
            }
        };
        let (arrived, _fifo) = reader.join().expect("the reader opens");
        opened.saturating_duration_since(arrived).as_secs_f64() * 1e6
    })
}

fn arrive(path: &Path, arrival: Arrival) -> File {
    match arrival {
        Arrival::Blocked => by_hand::open_reader(path),
        Arrival::NonBlocking => File::options()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path)
            .expect("a reader is never refused"),
    }
}

/// The share of a core that waiting takes while nobody comes.
fn wait_in_vain(side: Side) -> Figure {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("fifo");
    make_fifo(&path);
    let (began, before) = (Instant::now(), processor_time());
    match side {
        Side::Ours => {
            let error = Sender::<u64>::options().open_timeout(VAIN).open(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoReader);
        }
        Side::ByHand => assert!(retry_open(&path, VAIN).is_none(), "nobody was to come"),
    }
    let spent = processor_time() - before;
    Figure::Percent(100.0 * spent.as_secs_f64() / began.elapsed().as_secs_f64())
}

/// Tries every ten milliseconds, for this long.
fn retry_open(path: &Path, limit: Duration) -> Option<File> {
    let began = Instant::now();
    while began.elapsed() < limit {
        let options = OFlag::O_NONBLOCK.bits();
        match File::options().write(true).custom_flags(options).open(path) {
            Ok(fifo) => return Some(fifo),
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
    None
}
