//! The next of many replies to one call.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::calls::CallId;
use crate::core::client::Caller;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// Waits for the next item of a call; `None` is the end of them. Left without, the call goes on.
#[derive(Debug)]
pub(crate) struct NextReply {
    id: CallId,
    deadline: Deadline,
}

impl NextReply {
    pub(crate) fn new(id: CallId, deadline: Deadline) -> Self {
        Self { id, deadline }
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Caller<R, W>> for NextReply {
    type Answer = Option<Vec<u8>>;

    const WRITES: bool = false;
    const TELLS: bool = true;

    fn begin(&mut self, _caller: &mut Caller<R, W>) -> Result<Key> {
        Ok(self.id)
    }

    fn peek(&mut self, caller: &mut Caller<R, W>) -> Option<Result<Option<Vec<u8>>>> {
        caller.item_here(self.id)
    }

    fn look(&mut self, caller: &mut Caller<R, W>, now: Instant) -> Option<Result<Option<Vec<u8>>>> {
        caller.next_item(self.id, now, self.deadline)
    }

    fn fail(&mut self, caller: &mut Caller<R, W>, error: Error) -> Error {
        error.with_fate(caller.give_up(self.id).fate())
    }

    fn leave(&mut self, _caller: &mut Caller<R, W>) {}
}
