//! The end of a call, for whoever does something else meanwhile.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::calls::CallId;
use crate::core::client::Caller;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// Waits until it is decided how a call ends, or its deadline has come, and takes nothing of it.
#[derive(Debug)]
pub(crate) struct Ended {
    id: CallId,
    deadline: Deadline,
}

impl Ended {
    pub(crate) fn new(id: CallId, deadline: Deadline) -> Self {
        Self { id, deadline }
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Caller<R, W>> for Ended {
    type Answer = ();

    const WRITES: bool = false;

    fn begin(&mut self, _caller: &mut Caller<R, W>) -> Result<Key> {
        Ok(self.id)
    }

    fn peek(&mut self, caller: &mut Caller<R, W>) -> Option<Result<()>> {
        (!caller.is_open(self.id)).then_some(Ok(()))
    }

    fn look(&mut self, caller: &mut Caller<R, W>, now: Instant) -> Option<Result<()>> {
        (!caller.is_open(self.id) || self.deadline.passed(now)).then_some(Ok(()))
    }

    fn fail(&mut self, _caller: &mut Caller<R, W>, error: Error) -> Error {
        error
    }

    fn leave(&mut self, _caller: &mut Caller<R, W>) {}
}
