//! A4: a cancel beside long messages. Two threads wrote to one pipe, and the short cancel stood in
//! the middle of a long message; the peer waited for ever. Here one owner writes whole frames, a
//! cancel goes between two of them, and it is acknowledged or the life of the client ends.
//!
//! That four processes tear nothing of each other's messages is in `shared_senders.rs`.

mod beside;
mod cycles;
mod silent;

use std::time::Duration;

use crate::support::ms;

/// Longer than any test here needs by an order of magnitude.
const LIMIT: Duration = ms(60_000);

/// The deadline of a call: far away, and yet before the watchdog.
const PATIENCE: Duration = ms(30_000);

/// More than a pipe holds, and than a frame.
const LARGE: usize = 200_000;
