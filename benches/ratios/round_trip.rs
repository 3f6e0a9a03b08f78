//! A request of 64 bytes and its reply, against the loop that one writes by hand.
//!
//! On one core each round trip is two switches between the processes, whoever makes them. On two
//! it is two wake-ups of an idle core, and a waiter that looks again before it sleeps saves both;
//! what that costs in processor time has a line of its own.

use std::path::{Path, PathBuf};

use fifowire::codec::Postcard;
use fifowire::{Client, Context, EndOfWriters, Pair, Server};

use super::by_hand::{self, Inbound, Outbound};
use super::packet::Packet;
use super::process::{Cores, Placement, Worker, measured};
use super::report::{Report, Target};
use super::rounds::{Measured, Round, Stopwatch, WARM_UP, in_turn};
use super::shared::ends::make_fifo;

pub(crate) const ROLE: &str = "round-trip-server";

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

fn rounds(report: &Report, calls: usize, placement: Placement) -> (Measured, Measured) {
    let calls = report.count(calls);
    in_turn(report, || round_of_ours(calls, placement), || round_by_hand(calls, placement))
}

fn round_of_ours(calls: usize, placement: Placement) -> Round {
    let cores = Cores::of_this_process();
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
    let cores = Cores::of_this_process();
    placement.begin(&cores);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let [input, output] = paths(directory.path());
    make_fifo(&input);
    make_fifo(&output);
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

fn clock(calls: usize, mut call: impl FnMut(&Packet) -> Packet) -> Round {
    let mut checked = |number: usize| {
        let packet = Packet::numbered(number as u64);
        assert_eq!(call(&packet), packet, "a reply to another request");
    };
    let mut watch = Stopwatch::start();
    (0..WARM_UP).for_each(&mut checked);
    watch.begin();
    (0..calls).for_each(&mut checked);
    watch.stop(calls)
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
    let cores = Cores::of_this_process();
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
