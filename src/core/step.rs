//! What a state machine answers: done, or what to wait for.

use std::time::{Duration, Instant};

use crate::deadline::Deadline;

/// The answer of one step.
#[derive(Debug)]
pub(crate) enum Step<T> {
    Done(T),
    Wait(Wait),
}

/// A wait that was to be looked after, and was not for so long, was given up, and the next is
/// another: one that goes on looks at its path many times a second.
pub(crate) const GIVEN_UP: Duration = Duration::from_secs(1);

impl<T> Step<T> {
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> Step<U> {
        match self {
            Self::Done(value) => Step::Done(f(value)),
            Self::Wait(wait) => Step::Wait(wait),
        }
    }
}

/// What to wait for: any of these ends the wait. The step that follows finds out which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// The reading end has bytes, or its last writer leaves.
    pub(crate) readable: bool,
    /// The writing end has room, or its last reader leaves.
    pub(crate) writable: bool,
    /// This instant comes.
    pub(crate) until: Deadline,
}

impl Wait {
    pub(crate) fn until(instant: Instant) -> Self {
        Self { readable: false, writable: false, until: Deadline::at(instant) }
    }

    pub(crate) fn readable(until: Deadline) -> Self {
        Self { readable: true, writable: false, until }
    }

    pub(crate) fn writable(until: Deadline) -> Self {
        Self { readable: false, writable: true, until }
    }

    pub(crate) fn no_later_than(self, deadline: Deadline) -> Self {
        Self { until: self.until.earlier(deadline), ..self }
    }
}
