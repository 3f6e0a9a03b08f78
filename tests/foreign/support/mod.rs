//! What every test here stands on: a stage of its own, peers that are reaped, measured cases.

mod case;
mod ledger;
mod peer;
mod stage;
mod watchdog;

pub(crate) use case::{Case, judge, ms};
pub(crate) use peer::{Peer, monotonic_ns};
pub(crate) use stage::act;
