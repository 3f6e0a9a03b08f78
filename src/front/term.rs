//! The term of one call: when it began, and when it must end.

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
    pub(crate) fn begin(self) -> Term {
        match self {
            Self::Timeout(timeout) => Term::timeout(timeout),
            Self::Deadline(deadline) => Term::until(deadline),
        }
    }
}

/// When a call began and when it must end. Made once, at its very start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    pub(crate) began: Instant,
    pub(crate) deadline: Deadline,
}

impl Term {
    pub(crate) fn timeout(timeout: Duration) -> Self {
        let began = Instant::now();
        Self { began, deadline: Deadline::after(began, timeout) }
    }

    pub(crate) fn within(timeout: Option<Duration>) -> Self {
        timeout.map_or_else(|| Self::until(Deadline::NEVER), Self::timeout)
    }

    pub(crate) fn until(deadline: Deadline) -> Self {
        Self { began: Instant::now(), deadline }
    }

    /// The time once a message of this many bytes is encoded. A short one takes less than the clock
    /// can say; for a long one it is read again.
    pub(crate) fn after_encoding(self, bytes: usize) -> Instant {
        if bytes <= SHORT { self.began } else { Instant::now() }
    }

    /// Adds the times of this call to its error.
    pub(crate) fn sign(self, error: Error) -> Error {
        error.timed(self.began.elapsed(), self.deadline.remaining(self.began))
    }
}
