//! A request of 64 bytes and its reply, against the loop that one writes by hand.
//!
//! On one core each round trip is two switches between the processes, whoever makes them. On two
//! it is two wake-ups of an idle core, and a waiter that looks again before it sleeps saves both;
//! what that costs in processor time has a line of its own.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fifowire::codec::Postcard;
use fifowire::{Client, Context, EndOfWriters, Pair, Server};

use super::by_hand::{self, Inbound, Outbound};
use super::packet::Packet;
use super::process::{Cores, Placement, Worker, measured, processor_time};
use super::report::{Figure, Report, Target, median};

pub(crate) const ROLE: &str = "round-trip-server";

/// Rounds of each side, in turn.
const ROUNDS: usize = 9;

/// Calls before the clock starts: both sides have opened everything and learned what pays.
const WARM_UP: usize = 500;

pub(crate) fn compare(report: &mut Report) {
    let name = "round trip 64 B, two cores";
    if report.wants(name) {
        let (ours, peer) = rounds(report, 5_000, Placement::Apart);
        report.add(name, ours.time(), peer.time(), Target::RatioAtMost(0.10));
        let name = "round trip 64 B, two cores, processor time of both";
        report.add(name, ours.processor(), peer.processor(), Target::None);
    }
    let name = "round trip 64 B, one core";
    if report.wants(name) {
        let (ours, peer) = rounds(report, 20_000, Placement::Together);
        report.add(name, ours.time(), peer.time(), Target::RatioAtMost(1.15));
    }
}

/// What the rounds of one side have measured, per call.
#[derive(Default)]
struct Measured {
    micros: Vec<f64>,
    processor_micros: Vec<f64>,
}

impl Measured {
    fn add(&mut self, round: Round) {
        self.micros.push(round.micros);
        self.processor_micros.push(round.processor_micros);
    }

    fn time(&self) -> Figure {
        Figure::Micros(median(&mut self.micros.clone()))
    }

    fn processor(&self) -> Figure {
        Figure::Micros(median(&mut self.processor_micros.clone()))
    }
}

fn rounds(report: &Report, calls: usize, placement: Placement) -> (Measured, Measured) {
    let calls = report.count(calls);
    let (mut ours, mut peer) = (Measured::default(), Measured::default());
    for _ in 0..report.count(ROUNDS) {
        ours.add(round_of_ours(calls, placement));
        peer.add(round_by_hand(calls, placement));
    }
    (ours, peer)
}

fn round_of_ours(calls: usize, placement: Placement) -> Round {
    let cores = Cores::of_this_thread();
    placement.begin(&cores);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pair = Pair::create(directory.path(), NAME).expect("the directory is empty");
    let worker = Worker::start(ROLE, directory.path(), &[OURS, placement.to_argument()]);
    let client = Client::<Packet, Packet>::options().codec(Postcard).open(&pair).expect("a pair");
    placement.settle(&cores, 0);
    let clocked = clock(calls, |packet| client.call(packet).expect("the server answers"));
    drop(client);
    clocked.with_server(worker.finish())
}

fn round_by_hand(calls: usize, placement: Placement) -> Round {
    let cores = Cores::of_this_thread();
    placement.begin(&cores);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let [input, output] = paths(directory.path());
    by_hand::make_fifo(&input);
    by_hand::make_fifo(&output);
    let worker = Worker::start(ROLE, directory.path(), &[BY_HAND, placement.to_argument()]);
    let mut outbound = Outbound::new(by_hand::open_writer(&input));
    let mut inbound = Inbound::new(by_hand::open_reader(&output));
    placement.settle(&cores, 0);
    let clocked = clock(calls, |packet| {
        outbound.send(packet);
        inbound.recv().expect("the server answers")
    });
    drop((outbound, inbound));
    clocked.with_server(worker.finish())
}

/// One round, per call.
struct Round {
    calls: usize,
    micros: f64,
    /// Of the client alone, until the server's is added.
    processor_micros: f64,
}

fn clock(calls: usize, mut call: impl FnMut(&Packet) -> Packet) -> Round {
    let mut checked = |number: usize| {
        let packet = Packet::numbered(number as u64);
        assert_eq!(call(&packet), packet, "a reply to another request");
    };
    let processor = processor_time();
    (0..WARM_UP).for_each(&mut checked);
    let began = Instant::now();
    (0..calls).for_each(&mut checked);
    let micros = began.elapsed().as_secs_f64() * 1e6 / calls as f64;
    let spent = processor_time() - processor;
    Round { calls, micros, processor_micros: per_call(spent, calls) }
}

impl Round {
    fn with_server(mut self, spent: Duration) -> Self {
        self.processor_micros += per_call(spent, self.calls);
        self
    }
}

fn per_call(spent: Duration, calls: usize) -> f64 {
    spent.as_secs_f64() * 1e6 / (WARM_UP + calls) as f64
}

const NAME: &str = "bench";
const OURS: &str = "ours";
const BY_HAND: &str = "by-hand";

fn paths(directory: &Path) -> [PathBuf; 2] {
    ["in", "out"].map(|name| directory.join(name))
}

/// The server: gives every packet back, until the client has left.
pub(crate) fn work(arguments: &[String]) {
    let [directory, side, placement] = arguments else { panic!("three arguments") };
    let (directory, placement) = (Path::new(directory), Placement::from_argument(placement));
    let cores = Cores::of_this_thread();
    match side.as_str() {
        OURS => {
            let pair = Pair::at(directory, NAME).expect("the name is valid");
            let options = Server::<Packet, Packet>::options().codec(Postcard);
            let mut server = options.end_of_writers(EndOfWriters::End).open(&pair).expect("a pair");
            placement.settle(&cores, 1);
            let echo = |packet, _: &Context<'_>| Ok::<_, String>(packet);
            measured(|| server.serve(echo).expect("it ends with its client"));
        }
        BY_HAND => {
            let [input, output] = paths(directory);
            let mut inbound = Inbound::new(by_hand::open_reader(&input));
            let mut outbound = Outbound::new(by_hand::open_writer(&output));
            placement.settle(&cores, 1);
            measured(|| {
                while let Some(packet) = inbound.recv::<Packet>() {
                    outbound.send(&packet);
                }
            });
        }
        _ => panic!("unknown side {side}"),
    }
}
