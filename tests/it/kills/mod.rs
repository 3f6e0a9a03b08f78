//! `kill -9` of either side at random points, a thousand times in all: nothing torn is delivered,
//! whoever survives goes on with the next life of the other, and every call ends as is so.
//!
//! One process survives; its peers are started and killed one after the other. The random numbers
//! come from a seed that is said on standard error.

mod clients;
mod in_flight;
mod receivers;
mod senders;
mod servers;

use crate::support::random::Random;
use crate::support::time::let_pass;
use crate::support::{Peer, ms};

/// Of each kind of peer.
const LIVES: u32 = 250;

/// The longest of a test here: far more than it takes.
const LIMIT: std::time::Duration = ms(60_000);

/// The largest message: more than a pipe holds, so that many a kill falls inside one.
const MOST: usize = 150_000;

/// Lets a peer live for a random while after its first sign of life, or for a moment only, before
/// there is any. Answers all that it has said before its end.
fn kill_at_random(mut peer: Peer, random: &mut Random) -> Vec<String> {
    if random.below(8) == 0 {
        let_pass(std::time::Duration::from_micros(random.below(6000)));
    } else {
        peer.expect("works");
        let_pass(std::time::Duration::from_micros(random.below(3000)));
    }
    peer.kill()
}
