//! The term of one call: when it began, and when it must end.
//!
//! Nothing here reads a clock, as nothing does in the core. Which one a call goes by is for its
//! front end to say: that of tokio may be paused, and advanced, by a test.

use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::error::Error;

/// Encoding as many bytes takes a few microseconds at most.
const SHORT: usize = 4096;

/// How a call is bounded, before it has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    Timeout(Duration),
    Deadline(Deadline),
}

impl Limit {
    /// The call begins.
    pub(crate) fn begin(self, now: Instant) -> Term {
        match self {
            Self::Timeout(timeout) => Term::timeout(now, timeout),
            Self::Deadline(deadline) => Term::until(now, deadline),
        }
    }

    /// Adds its times to the error of a call that has not had to wait, and so begins and ends now.
    pub(crate) fn sign(self, error: Error, now: Instant) -> Error {
        self.begin(now).sign(error, now)
    }
}

/// When a call began and when it must end. Made once, at its very start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    pub(crate) began: Instant,
    pub(crate) deadline: Deadline,
}

impl Term {
    pub(crate) fn timeout(began: Instant, timeout: Duration) -> Self {
        Self { began, deadline: Deadline::after(began, timeout) }
    }

    pub(crate) fn within(began: Instant, timeout: Option<Duration>) -> Self {
        let never = Self::until(began, Deadline::NEVER);
        timeout.map_or(never, |timeout| Self::timeout(began, timeout))
    }

    pub(crate) fn until(began: Instant, deadline: Deadline) -> Self {
        Self { began, deadline }
    }

    /// The time once a message of this many bytes is encoded. A short one takes less than the clock
    /// can say; for a long one it is read again.
    pub(crate) fn after_encoding(self, bytes: usize, now: impl FnOnce() -> Instant) -> Instant {
        if bytes <= SHORT { self.began } else { now() }
    }

    /// How long the call has run.
    pub(crate) fn elapsed(self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }

    /// Adds the times of this call to the error it has ended with.
    pub(crate) fn sign(self, error: Error, now: Instant) -> Error {
        error.timed(self.elapsed(now), self.deadline.remaining(self.began))
    }
}
