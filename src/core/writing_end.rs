//! A writing end that is open, and whether its path still leads here.

use std::time::Instant;

use super::retry::next_check;
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::pipe::{Sink, Standing};

/// A writing end from its opening on.
#[derive(Debug)]
pub(crate) struct WritingEnd<E> {
    end: E,
    next_check: Instant,
}

impl<E: Sink> WritingEnd<E> {
    /// An end that was opened at `now`.
    pub(crate) fn new(end: E, now: Instant) -> Self {
        Self { end, next_check: next_check(now) }
    }

    pub(crate) fn end(&self) -> &E {
        &self.end
    }

    pub(crate) fn end_mut(&mut self) -> &mut E {
        &mut self.end
    }

    /// Whether it is time to look at the path again.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        now >= self.next_check
    }

    /// Looks whether the path still leads here.
    pub(crate) fn check(&mut self, now: Instant) -> Result<Standing> {
        self.next_check = next_check(now);
        self.end.standing().map_err(|error| Error::system(error, Phase::Write))
    }

    /// Whether the path still leads here, as far as it is time to know. Where it does not, it is
    /// time to [`check`](Self::check).
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn still_stands(&mut self, now: Instant) -> bool {
        if !self.is_due(now) {
            return true;
        }
        let same = matches!(self.end.standing(), Ok(Standing::Same));
        if same {
            self.next_check = next_check(now);
        }
        same
    }

    /// When it is time to look at the path again.
    pub(crate) fn next_check(&self) -> Deadline {
        Deadline::at(self.next_check)
    }
}
