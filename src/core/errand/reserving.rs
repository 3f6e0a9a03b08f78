//! The wait for a place among the calls in flight.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::client::Caller;
use crate::deadline::Deadline;
use crate::error::{Error, Fate, Result};
use crate::pipe::{Opener, Sink, Source};

/// Waits until there is room for one more call, first come first served.
#[derive(Debug)]
pub(crate) struct Reserving {
    deadline: Deadline,
    key: Key,
    /// Whether the place is somebody else's to give back.
    answered: bool,
}

impl Reserving {
    pub(crate) fn new(deadline: Deadline) -> Self {
        Self { deadline, key: 0, answered: false }
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Caller<R, W>> for Reserving {
    /// What the place goes by. It is held until a call begins there or it is given back.
    type Answer = Key;

    const WRITES: bool = false;

    fn begin(&mut self, caller: &mut Caller<R, W>) -> Result<Key> {
        self.key = caller.reserve();
        Ok(self.key)
    }

    fn look(&mut self, caller: &mut Caller<R, W>, now: Instant) -> Option<Result<Key>> {
        self.answered = caller.holds_place(self.key);
        match self.answered {
            true => Some(Ok(self.key)),
            false if caller.is_closing() => Some(Err(caller.closed())),
            false => self.deadline.passed(now).then(|| Err(caller.overloaded())),
        }
    }

    fn fail(&mut self, _caller: &mut Caller<R, W>, error: Error) -> Error {
        error.with_fate(Fate::NotSent)
    }

    fn leave(&mut self, caller: &mut Caller<R, W>) {
        if !self.answered {
            caller.give_place_back(self.key);
        }
    }
}
