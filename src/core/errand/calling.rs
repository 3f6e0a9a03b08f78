//! A request or a ping, from its beginning to the answer.

use std::time::{Duration, Instant};

use super::{Errand, Key};
use crate::core::calls::CallId;
use crate::core::client::Caller;
use crate::core::event::Event;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// A request that waits for its reply, or a ping for its pong.
#[derive(Debug)]
pub(crate) struct Calling {
    /// Until it is queued.
    asks: Asks,
    /// The place that is held for it.
    place: Option<Key>,
    id: CallId,
    deadline: Deadline,
    answered: bool,
}

#[derive(Debug)]
enum Asks {
    Request { body: Vec<u8>, left: Option<Duration>, stamp: u64 },
    Ping,
}

impl Calling {
    /// A body begun by [`Caller::request_body`]. What is left of the deadline is taken at `now`,
    /// when the monotonic clock reads `stamp`: the two belong together.
    pub(crate) fn request(body: Vec<u8>, now: Instant, stamp: u64, deadline: Deadline) -> Self {
        let left = deadline.remaining(now);
        Self::new(Asks::Request { body, left, stamp }, deadline)
    }

    pub(crate) fn ping(deadline: Deadline) -> Self {
        Self::new(Asks::Ping, deadline)
    }

    /// Begins at the place that was [reserved](super::Reserving) for it, if there is one.
    pub(crate) fn at(mut self, place: Option<Key>) -> Self {
        self.place = place;
        self
    }

    /// The number of the call, once it is queued.
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn id(&self) -> Option<CallId> {
        (self.id != 0).then_some(self.id)
    }

    fn new(asks: Asks, deadline: Deadline) -> Self {
        Self { asks, place: None, id: 0, deadline, answered: false }
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Caller<R, W>> for Calling {
    type Answer = Event;

    const WRITES: bool = true;

    fn begin(&mut self, caller: &mut Caller<R, W>) -> Result<Key> {
        self.id = match &mut self.asks {
            Asks::Request { body, left, stamp } => {
                caller.call(std::mem::take(body), *left, *stamp, self.place)?
            }
            Asks::Ping => caller.ping()?,
        };
        Ok(self.id)
    }

    fn peek(&mut self, caller: &mut Caller<R, W>) -> Option<Result<Event>> {
        let answer = caller.answer(self.id);
        self.answered = answer.is_some();
        answer
    }

    fn look(&mut self, caller: &mut Caller<R, W>, now: Instant) -> Option<Result<Event>> {
        let outcome = caller.outcome(self.id, now, self.deadline);
        // With its outcome the call has left the tables.
        self.answered = outcome.is_some();
        outcome
    }

    fn fail(&mut self, caller: &mut Caller<R, W>, error: Error) -> Error {
        self.answered = true;
        error.with_fate(caller.give_up(self.id).fate())
    }

    fn leave(&mut self, caller: &mut Caller<R, W>) {
        if !self.answered {
            caller.give_up(self.id);
        }
    }
}
