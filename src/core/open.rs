//! Opening an end: attempts until one succeeds or the deadline comes.

use std::time::Instant;

use super::retry::Schedule;
use super::step::{Step, Wait};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::pipe::{Attempt, Opener, Refusal};

/// The state between two attempts.
#[derive(Debug)]
pub(crate) struct Opening {
    schedule: Schedule,
    refusal: Option<Refusal>,
    /// Attempts that were refused since the first of all.
    refused: u64,
}

impl Opening {
    pub(crate) fn new() -> Self {
        Self { schedule: Schedule::new(), refusal: None, refused: 0 }
    }

    /// The end is open, or nobody waits for it any more: the next wait begins with short delays.
    pub(crate) fn end(&mut self) {
        *self = Self { refused: self.refused, ..Self::new() };
    }

    /// Attempts that were refused so far.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// One attempt at `now`. The last one is made at the deadline itself, so that a peer which
    /// came a moment before is not missed.
    #[cold] // An end is opened once and used for long.
    pub(crate) fn step<O: Opener>(
        &mut self,
        opener: &mut O,
        now: Instant,
        deadline: Deadline,
    ) -> Result<Step<O::End>> {
        let attempt = opener.attempt()?;
        self.refused += u64::from(matches!(attempt, Attempt::Refused(_)));
        match attempt {
            Attempt::Open(end) => Ok(Step::Done(end)),
            Attempt::Refused(refusal) if deadline.passed(now) => Err(refused(refusal)),
            Attempt::Refused(refusal) => {
                self.refusal = Some(refusal);
                let next = self.schedule.after(now);
                Ok(Step::Wait(Wait::until(next).no_later_than(deadline)))
            }
        }
    }
}

impl Opening {
    /// The error this wait would end with now, where an attempt was refused.
    pub(crate) fn refusal(&self) -> Option<Error> {
        self.refusal.map(refused)
    }
}

/// The error of a wait that ended with this refusal.
fn refused(refusal: Refusal) -> Error {
    let kind = match refusal {
        Refusal::NoReader => ErrorKind::NoReader,
        Refusal::NotFound => ErrorKind::NotFound,
        Refusal::Busy => ErrorKind::Busy,
    };
    Error::new(kind, Phase::Open)
}
