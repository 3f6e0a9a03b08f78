//! A cancel, until the server has said that nothing more of the call will come.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::calls::CallId;
use crate::core::client::Caller;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// Waits until a call is over, with its reply or without.
#[derive(Debug)]
pub(crate) struct Cancelling {
    id: CallId,
    key: Key,
    deadline: Deadline,
    /// Whether the deadline was seen to have passed: what had come by then is looked for once more,
    /// because giving up ends all other calls too.
    late: bool,
}

impl Cancelling {
    pub(crate) fn new(id: CallId, deadline: Deadline) -> Self {
        Self { id, key: 0, deadline, late: false }
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Caller<R, W>> for Cancelling {
    type Answer = ();

    const WRITES: bool = true;

    fn begin(&mut self, caller: &mut Caller<R, W>) -> Result<Key> {
        self.key = caller.cancel(self.id);
        Ok(self.key)
    }

    fn peek(&mut self, caller: &mut Caller<R, W>) -> Option<Result<()>> {
        (!caller.is_cancelling(self.id)).then_some(Ok(()))
    }

    fn look(&mut self, caller: &mut Caller<R, W>, now: Instant) -> Option<Result<()>> {
        if !caller.is_cancelling(self.id) {
            return Some(Ok(()));
        }
        let was_late = std::mem::replace(&mut self.late, self.deadline.passed(now));
        was_late.then(|| Err(caller.poison()))
    }

    fn fail(&mut self, _caller: &mut Caller<R, W>, error: Error) -> Error {
        error
    }

    fn leave(&mut self, caller: &mut Caller<R, W>) {
        caller.stop_cancelling(self.id, self.key);
    }
}
