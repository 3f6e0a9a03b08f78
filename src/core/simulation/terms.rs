//! What one seed settles for its whole run: sizes, limits, and what may happen how often. Seeds
//! differ in all of it, because what is rare in the average run is common in some.

use std::time::Duration;

use super::actions::{ACTIONS, Kind};
use super::messages::LARGEST;
use super::process::Transfers;
use super::random::Random;
use crate::core::keys::KeyLimits;

#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// Bytes that a FIFO holds.
    pub(super) capacity: usize,
    /// The largest message of both sides.
    pub(super) limit: usize,
    pub(super) stall: Duration,
    pub(super) max_in_flight: usize,
    /// Bytes of requests that may wait at the client.
    pub(super) max_queued: usize,
    /// Requests that may wait at the server.
    pub(super) max_waiting: usize,
    /// Whether the server leaves those that it has no room for in the pipe.
    pub(super) parks: bool,
    /// How often the client puts a call again.
    pub(super) max_retries: u32,
    pub(super) keys: KeyLimits,
    pub(super) reply_timeout: Duration,
    /// Whether a client ends with its server.
    pub(super) ends_with_server: bool,
    pub(super) transfers: Transfers,
    /// The largest message that is worth its time over such a FIFO.
    pub(super) largest: usize,
    /// Whether each side waits for what it asked for before it is stepped again.
    pub(super) patient: bool,
    /// Whether nothing happens that messages are lost by.
    pub(super) lossless: bool,
    /// Whether nobody dies.
    pub(super) immortal: bool,
    /// Whether the paths stay as they are.
    pub(super) stable: bool,
    /// How likely each of the [`ACTIONS`] is, with all before it.
    pub(super) weights: Vec<u32>,
}

impl Terms {
    pub(super) fn draw(random: &mut Random) -> Self {
        let capacity = match random.below(8) {
            0..3 => 4096,
            3..6 => 65_536,
            6 => random.between(64, 4095),
            _ => random.between(4097, 100_000),
        };
        let transfers =
            random.pick(&[Transfers::Whole, Transfers::Whole, Transfers::Short, Transfers::Tiny]);
        let share = if transfers == Transfers::Tiny { 20 } else { 100 };
        let lossless = !random.once_in(3);
        let (immortal, stable) = (random.once_in(3), !random.once_in(3));
        let weights = ACTIONS.iter().map(|action| match action.kind {
            Kind::Vital => action.weight * (1 + random.below(3) as u32),
            Kind::Usual => action.weight * random.pick(&[0, 1, 1, 2, 4]),
            Kind::Death if immortal => 0,
            Kind::Path if stable => 0,
            Kind::Loss if lossless => 0,
            Kind::Death | Kind::Path => action.weight * random.pick(&[0, 1, 2, 8]),
            Kind::Loss => action.weight * random.pick(&[0, 1, 2]),
        });
        let weights = weights.scan(0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        let weights = weights.collect();
        Self {
            capacity,
            limit: random.pick(&[3000, 50_000, LARGEST, LARGEST, 1 << 20]),
            stall: Duration::from_millis(random.pick(&[20, 200, 2000])),
            max_in_flight: random.pick(&[1, 3, 16, 64]),
            max_queued: random.pick(&[1, 5000, 300_000, usize::MAX, usize::MAX]),
            max_waiting: random.pick(&[1, 3, 20, 1000]),
            parks: random.once_in(2),
            max_retries: random.pick(&[1, 3, 20]),
            keys: KeyLimits {
                keys: random.pick(&[2, 100, 4096, 4096]),
                bytes: random.pick(&[1000, 300_000, 16 << 20, 16 << 20]),
                retention: Duration::from_millis(random.pick(&[1, 1000, 60_000])),
            },
            reply_timeout: Duration::from_millis(random.pick(&[5, 500, 10_000])),
            ends_with_server: !immortal && random.once_in(6),
            transfers,
            largest: LARGEST.min(capacity * share),
            patient: !random.once_in(3),
            lossless,
            immortal,
            stable,
            weights,
        }
    }

    /// One of the actions, by its place in the table.
    pub(super) fn action(&self, random: &mut Random) -> usize {
        let all = self.weights.last().copied().unwrap_or(0);
        let at = random.below(all as usize) as u32;
        self.weights.partition_point(|sum| *sum <= at)
    }
}
