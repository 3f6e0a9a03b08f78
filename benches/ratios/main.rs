//! fifowire beside its peers, in one run: `cargo bench --bench ratios`.
//!
//! A figure in microseconds says more about the machine than about the library, so every figure
//! here stands beside that of a peer which does the same by hand: two real processes, real FIFOs,
//! rounds of ours and of the peer in turn, and the ratio of their medians. One line for each
//! comparison, separated by tabs: name, ours, peer, ratio, target. The run fails where a target is
//! missed, and says which.
//!
//! Words behind `--` choose comparisons whose name contains one of them. Started without
//! `--bench`, as `cargo test --benches` does, it makes a short pass and judges nothing.

mod awaited;
mod by_hand;
mod late;
mod one_way;
mod packet;
mod process;
mod report;
mod round_trip;
mod rounds;
#[path = "../shared/mod.rs"]
mod shared;

use std::process::ExitCode;

use report::Report;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == process::WORKER) {
        work(&arguments[1..]);
        return ExitCode::SUCCESS;
    }
    let judge = arguments.iter().any(|argument| argument == "--bench");
    arguments.retain(|argument| !argument.starts_with('-'));
    let mut report = Report::new(arguments, judge);
    round_trip::compare(&mut report);
    one_way::compare(&mut report);
    late::compare(&mut report);
    awaited::compare(&mut report);
    report.verdict()
}

/// What a worker process was started for.
fn work(arguments: &[String]) {
    let Some((role, arguments)) = arguments.split_first() else { panic!("no role") };
    match role.as_str() {
        round_trip::ROLE => round_trip::work(arguments),
        one_way::ROLE => one_way::work(arguments),
        _ => awaited::work(role, arguments),
    }
}
