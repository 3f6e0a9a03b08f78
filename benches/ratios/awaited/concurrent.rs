//! A hundred calls at once over one client, beside one at a time over a client of the same kind.
//!
//! One at a time, every call pays for two switches between the processes. Many at once share them,
//! if requests and replies travel in batches and finding a call costs the same however many there
//! are.

use fifowire::Pair;
use fifowire::codec::Postcard;
use fifowire::tokio::Client;
use tokio::task::JoinSet;

use super::packet::Packet;
use super::parties::{NAME, start_server};
use super::process::{Cores, Placement};
use super::report::{Report, Target};
use super::rounds::{Round, Stopwatch, WARM_UP, in_turn};
use super::sides::OURS_CURRENT;

/// Tasks that call at once.
const TASKS: usize = 100;

/// Calls of a round, of all tasks together.
const CALLS: usize = 20_000;

pub(crate) fn compare(report: &mut Report) {
    for (name, placement) in [
        ("tokio 100 concurrent calls, one core", Placement::Together),
        ("tokio 100 concurrent calls, two cores", Placement::Apart),
    ] {
        if report.wants(name) {
            let calls = report.count(CALLS);
            let play = |tasks| move || round(tasks, placement, calls);
            let (ours, peer) = in_turn(report, play(TASKS), play(1));
            report.add(name, ours.rate(), peer.rate(), Target::RatioAtLeast(3.0));
        }
    }
}

fn round(tasks: usize, placement: Placement, calls: usize) -> Round {
    let cores = Cores::of_this_process();
    placement.begin(&cores);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pair = Pair::create(directory.path(), NAME).expect("the directory is empty");
    let worker = start_server(OURS_CURRENT, directory.path(), placement);
    let round = OURS_CURRENT.executor.run(async move {
        let options = Client::<Packet, Packet>::options().codec(Postcard);
        let client = options.open(&pair).await.expect("a pair");
        placement.settle(&cores, 0);
        let mut watch = Stopwatch::start();
        call_from(tasks, &client, WARM_UP).await;
        watch.begin();
        call_from(tasks, &client, calls).await;
        watch.stop(calls)
    });
    round.with_server(worker.finish())
}

/// Makes this many calls, shared by the tasks.
async fn call_from(tasks: usize, client: &Client<Packet, Packet, Postcard>, calls: usize) {
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let client = client.clone();
        running.spawn(async move {
            for number in (task..calls).step_by(tasks) {
                let packet = Packet::numbered(number as u64);
                let reply = client.call(&packet).await.expect("the server answers");
                assert_eq!(reply, packet, "a reply to another request");
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("every call is answered");
    }
}
