//! The wait for the next request.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::server::{Answerer, Asked, NEXT_REQUEST};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// Waits for a request.
#[derive(Debug)]
pub(crate) struct Receiving {
    deadline: Deadline,
}

impl Receiving {
    pub(crate) fn new(deadline: Deadline) -> Self {
        Self { deadline }
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Answerer<R, W>> for Receiving {
    /// `None` where another step is due at once.
    type Answer = Option<Asked>;

    const WRITES: bool = false;

    fn begin(&mut self, _answerer: &mut Answerer<R, W>) -> Result<Key> {
        Ok(NEXT_REQUEST)
    }

    fn look(
        &mut self,
        answerer: &mut Answerer<R, W>,
        now: Instant,
    ) -> Option<Result<Option<Asked>>> {
        // Most looks find nothing, and what is left of no request is not to be reckoned.
        let now_ns = if answerer.link().has_events() { answerer.stamp(now) } else { 0 };
        match answerer.next_request(now, now_ns) {
            Ok(None) if self.deadline.passed(now) => Some(Err(answerer.silence())),
            Ok(None) if !answerer.made_room() => None,
            // As it is: to take it apart would be to copy it.
            next => Some(next),
        }
    }

    fn fail(&mut self, _answerer: &mut Answerer<R, W>, error: Error) -> Error {
        error
    }

    fn leave(&mut self, _answerer: &mut Answerer<R, W>) {}
}
