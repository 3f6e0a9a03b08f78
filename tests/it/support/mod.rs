//! What every test stands on: a process of its own, a watchdog, a ledger, peers, raw ends.
//!
//! Nothing here sleeps to let something happen: it waits for lines on a pipe, for states in
//! `/proc`, or for a deadline that is itself the thing under test.

pub(crate) mod by_hand;
pub(crate) mod frame;
pub(crate) mod ledger;
pub(crate) mod log;
pub(crate) mod peer;
pub(crate) mod random;
pub(crate) mod raw;
pub(crate) mod scene;
pub(crate) mod time;
pub(crate) mod watchdog;

pub(crate) use by_hand::ByHand;
pub(crate) use peer::{Line, Peer};
pub(crate) use scene::{Scene, scene, scene_after, scene_within};
pub(crate) use time::{OVERSHOOT, ms, on_time, until};
