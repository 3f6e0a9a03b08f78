//! The outgoing direction: opened when there is something to write, and how long nothing has moved.

use std::time::{Duration, Instant};

use super::Link;
use crate::core::outbox::Wrote;
use crate::core::step::{Step, Wait};
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Link<R, W> {
    pub(super) fn write(&mut self, now: Instant, wait: &mut Wait) -> Result<()> {
        if self.outbox.is_empty() {
            self.stalled_since = None;
            return Ok(());
        }
        if let Step::Wait(opening) = self.outgoing.step_open(now, Deadline::NEVER)? {
            wait.until = wait.until.earlier(opening.until);
        }
        let Some(writer) = self.outgoing.end_mut() else { return Ok(()) };
        let was_full = self.inbox.is_full(&self.outbox);
        let wrote = self.outbox.step(writer, self.inbox.addresses());
        match wrote.map_err(|error| Error::system(error, Phase::Write))? {
            Wrote::All => {
                self.stalled_since = None;
            }
            Wrote::Busy => {
                self.stalled_since = None;
                wait.until = Deadline::at(now);
            }
            Wrote::Full { moved } => {
                if moved {
                    self.stalled_since = None;
                }
                self.stalled_since.get_or_insert(now);
                wait.writable = true;
            }
            // What is still to be written goes to the next reader, from a later step on.
            Wrote::NoReader => self.lose_writer(),
        }
        if was_full && !self.is_full() {
            wait.until = Deadline::at(now);
        }
        Ok(())
    }

    /// Opens the outgoing FIFO if somebody reads it now, and otherwise leaves it for later.
    ///
    /// Whoever has just been heard reads; having the end open for the rest of its life is what
    /// tells a peer, while it waits for an answer, that this side lives, and when it has died.
    pub(crate) fn greet(&mut self, now: Instant) {
        if self.leaving || self.closed {
            return;
        }
        // What is wrong with the path is the news of whoever writes to it.
        let _ = self.outgoing.step_open(now, Deadline::NEVER);
    }

    /// Tries once to open the outgoing FIFO, for whoever writes next; answers whether it is open.
    pub(crate) fn try_connect(&mut self, now: Instant) -> Result<bool> {
        let open = matches!(self.outgoing.step_open(now, Deadline::NEVER)?, Step::Done(()));
        if !open {
            self.outgoing.stop_opening();
        }
        Ok(open)
    }

    /// For how long no byte has moved out although there was one to move.
    pub(crate) fn stalled(&self, now: Instant) -> Option<Duration> {
        self.stalled_since.map(|since| now.saturating_duration_since(since))
    }

    /// Whether no byte has moved out for this long although there was one to move.
    pub(crate) fn stalled_for(&self, limit: Duration, now: Instant) -> bool {
        self.stalled_since.is_some_and(|since| now.saturating_duration_since(since) >= limit)
    }

    /// When the stall will have lasted this long, if it has not yet.
    pub(crate) fn stall_ends(&self, limit: Duration, now: Instant) -> Deadline {
        match self.stalled_since.map(|since| Deadline::after(since, limit)) {
            Some(end) if !end.passed(now) => end,
            _ => Deadline::NEVER,
        }
    }

    /// Whether the stall has lasted this long for the first time that this is asked.
    pub(crate) fn stall_passes(&mut self, limit: Duration, now: Instant) -> bool {
        let passed = self.stalled_for(limit, now);
        let news = passed && !self.stall_reported;
        self.stall_reported = passed;
        news
    }

    /// Nobody has waited for anything to be written; from here on somebody does.
    pub(crate) fn restart_stall(&mut self) {
        self.stalled_since = None;
    }
}
