//! The endpoints that are awaited, on tokio and on async-io.
//!
//! The peers are what one writes by hand on the same runtime: its own pipe or socket, the length
//! in front, the same format of the values.

mod async_io_by_hand;
mod concurrent;
mod exchange;
mod idle;
mod parties;
mod round_trip;
mod sides;
mod tokio_by_hand;

use super::report::Report;
use super::{by_hand, packet, process, report, rounds, shared};

pub(crate) fn compare(report: &mut Report) {
    round_trip::compare(report);
    concurrent::compare(report);
    idle::compare(report);
}

/// What a worker process was started for.
pub(crate) fn work(role: &str, arguments: &[String]) {
    match role {
        parties::ROLE => parties::work(arguments),
        idle::ROLE => idle::work(arguments),
        _ => panic!("unknown role {role}"),
    }
}
