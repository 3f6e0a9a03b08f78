//! The next part of what a request brings beside its message.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::server::{Answerer, Caller};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::pipe::{Opener, Sink, Source};

/// Waits for the next part; `None` is the end of them. The first of these makes room for the first
/// parts.
#[derive(Debug)]
pub(crate) struct NextPart {
    caller: Caller,
    window: usize,
    key: Key,
    deadline: Deadline,
}

impl NextPart {
    pub(crate) fn new(caller: Caller, window: usize, deadline: Deadline) -> Self {
        Self { caller, window, key: 0, deadline }
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Answerer<R, W>> for NextPart {
    type Answer = Option<Vec<u8>>;

    const WRITES: bool = true;
    const TELLS: bool = true;

    fn begin(&mut self, answerer: &mut Answerer<R, W>) -> Result<Key> {
        self.key = answerer.link_mut().outbox().draw_ticket();
        answerer.ask_for_parts(self.caller, self.window);
        Ok(self.key)
    }

    fn peek(&mut self, answerer: &mut Answerer<R, W>) -> Option<Result<Option<Vec<u8>>>> {
        answerer.next_part(self.caller, self.key)
    }

    fn look(
        &mut self,
        answerer: &mut Answerer<R, W>,
        now: Instant,
    ) -> Option<Result<Option<Vec<u8>>>> {
        if let Some(part) = answerer.next_part(self.caller, self.key) {
            return Some(part);
        }
        let late = self.deadline.passed(now);
        late.then(|| Err(Error::new(ErrorKind::TimedOut, Phase::Read)))
    }

    fn fail(&mut self, _answerer: &mut Answerer<R, W>, error: Error) -> Error {
        error
    }

    fn leave(&mut self, answerer: &mut Answerer<R, W>) {
        answerer.stop_waiting(self.caller, self.key);
    }
}
