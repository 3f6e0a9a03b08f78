//! What the two machines of a session, the caller and the answerer, have in common for those that
//! wait on them.

use std::path::Path;
use std::time::Instant;

use super::errand::Key;
use super::link::{Directions, Link};
use super::step::{Step, Wait};
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::pipe::{Opener, Sink, Source};
use crate::probe::Probe;
use crate::stats::{LinkStats, RoundTrips};

/// A machine that moves events over a link, for waiters that it knows by keys.
pub(crate) trait Session {
    type R: Opener<End: Source>;
    type W: Opener<End: Sink>;

    fn link(&self) -> &Link<Self::R, Self::W>;

    fn link_mut(&mut self) -> &mut Link<Self::R, Self::W>;

    /// The FIFO that this phase of an errand is about.
    fn path(&self, phase: Phase) -> &Path;

    /// What an errand that waits in this phase waits for by now.
    fn waits_in(&self, phase: Phase) -> Phase {
        phase
    }

    /// Moves bytes in these directions, without waiting.
    fn step(&mut self, now: Instant, directions: Directions) -> Result<Wait>;

    /// Keys of those that have something to look at.
    fn wakeups(&mut self) -> &mut Vec<Key>;

    /// Whether others on this side have something in hand, so that more may be written at once.
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    fn is_busy(&self) -> bool;

    /// Calls that wait for their replies, or requests that are not answered.
    fn in_flight(&self) -> usize;

    /// How long calls took, or answers.
    fn times(&self) -> &RoundTrips;

    /// What this side has seen so far.
    fn stats(&self) -> LinkStats {
        LinkStats { times: *self.times(), in_flight: self.in_flight(), ..self.link().stats() }
    }

    /// What this side knows of the connection.
    fn probe(&mut self, now: Instant) -> Probe {
        let in_flight = self.in_flight();
        let link = self.link_mut();
        let (queued, queued_bytes) = (link.outbox().queued(), link.outbox().queued_bytes());
        let (connected, stalled_for) = (link.writer().is_some(), link.stalled(now));
        Probe { connected, stalled_for, queued, queued_bytes, in_flight }
    }

    /// Begins nothing new, and closes what is open once that has come to its end; answers under
    /// which key whoever waits for that is woken.
    fn begin_close(&mut self) -> Key;

    /// Whether there is nothing to wait for any more.
    fn has_drained(&self) -> bool;

    /// Nobody waits under this key for the end any more.
    fn stop_closing(&mut self, key: Key);

    /// Ends everything now, and lets go of both ends.
    fn abort(&mut self);

    /// Opens what must be open before anything can come.
    fn step_open(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        let opened = self.link_mut().step_open(now, deadline);
        opened.map_err(|error| error.at(self.link().incoming().path()))
    }

    /// Whether there is anything to write.
    fn has_output(&mut self) -> bool {
        !self.link_mut().outbox().is_empty()
    }

    /// Adds its path to the error that an errand in this phase has ended with.
    fn place(&self, error: Error, phase: Phase) -> Error {
        // A call is about both FIFOs, every other errand about one.
        let at = if phase == Phase::Reply { error.phase() } else { phase };
        error.at(self.path(at))
    }
}
