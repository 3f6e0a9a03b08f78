//! Rounds of calls, one at a time: ours and the peer's in turn, each clocked alike.

use std::time::{Duration, Instant};

use super::report::{Figure, Report, median};
use super::shared::processor_time;

/// Rounds of each side, in turn.
const ROUNDS: usize = 9;

/// Calls before the clock starts: both sides have opened everything and learned what pays.
pub(crate) const WARM_UP: usize = 500;

/// Plays the rounds of both sides.
pub(crate) fn in_turn(
    report: &Report,
    ours: impl Fn() -> Round,
    peer: impl Fn() -> Round,
) -> (Measured, Measured) {
    let (mut of_ours, mut of_peer) = (Measured::default(), Measured::default());
    for _ in 0..report.count(ROUNDS) {
        of_ours.add(ours());
        of_peer.add(peer());
    }
    (of_ours, of_peer)
}

/// What the rounds of one side have measured, per call.
#[derive(Default)]
pub(crate) struct Measured {
    micros: Vec<f64>,
    processor_micros: Vec<f64>,
}

impl Measured {
    fn add(&mut self, round: Round) {
        self.micros.push(round.micros);
        self.processor_micros.push(round.processor_micros);
    }

    pub(crate) fn time(&self) -> Figure {
        Figure::Micros(median(&mut self.micros.clone()))
    }

    pub(crate) fn processor(&self) -> Figure {
        Figure::Micros(median(&mut self.processor_micros.clone()))
    }

    pub(crate) fn rate(&self) -> Figure {
        Figure::PerSecond(1e6 / median(&mut self.micros.clone()))
    }
}

/// One round, per call.
pub(crate) struct Round {
    calls: usize,
    micros: f64,
    /// Of the client alone, until the server's is added.
    processor_micros: f64,
}

impl Round {
    pub(crate) fn with_server(mut self, spent: Duration) -> Self {
        self.processor_micros += per_call(spent, self.calls);
        self
    }
}

/// Clocks a round. Its processor time counts from before the warm-up, as the server's does, who
/// cannot tell the two apart.
pub(crate) struct Stopwatch {
    processor: Duration,
    began: Instant,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { processor: processor_time(), began: Instant::now() }
    }

    /// Ends the warm-up.
    pub(crate) fn begin(&mut self) {
        self.began = Instant::now();
    }

    /// Ends the round, of so many calls behind the warm-up.
    pub(crate) fn stop(self, calls: usize) -> Round {
        let micros = self.began.elapsed().as_secs_f64() * 1e6 / calls as f64;
        let spent = processor_time() - self.processor;
        Round { calls, micros, processor_micros: per_call(spent, calls) }
    }
}

fn per_call(spent: Duration, calls: usize) -> f64 {
    spent.as_secs_f64() * 1e6 / (WARM_UP + calls) as f64
}
