//! A request or a ping, from its beginning to the answer.

use std::time::{Duration, Instant};

use super::{Errand, Key};
use crate::core::calls::CallId;
use crate::core::client::Caller;
use crate::core::event::Event;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::pipe::{Opener, Sink, Source};

/// A request that waits for its reply.
#[derive(Debug)]
pub(crate) struct Calling {
    /// Until it is queued.
    body: Vec<u8>,
    left: Option<Duration>,
    stamp: u64,
    open: OpenCall,
}

/// A ping that waits for its pong.
#[derive(Debug)]
pub(crate) struct Pinging {
    open: OpenCall,
}

/// A call in the tables of its client.
#[derive(Debug)]
struct OpenCall {
    id: CallId,
    deadline: Deadline,
    answered: bool,
}

impl Calling {
    /// A body begun by [`Caller::request_body`]. What is left of the deadline is taken at `now`,
    /// when the monotonic clock reads `stamp`: the two belong together.
    pub(crate) fn new(body: Vec<u8>, now: Instant, stamp: u64, deadline: Deadline) -> Self {
        Self { body, left: deadline.remaining(now), stamp, open: OpenCall::new(deadline) }
    }
}

impl Pinging {
    pub(crate) fn new(deadline: Deadline) -> Self {
        Self { open: OpenCall::new(deadline) }
    }
}

impl OpenCall {
    fn new(deadline: Deadline) -> Self {
        Self { id: 0, deadline, answered: false }
    }

    fn look<R, W>(&mut self, caller: &mut Caller<R, W>, now: Instant) -> Option<Result<Event>>
    where
        R: Opener<End: Source>,
        W: Opener<End: Sink>,
    {
        let outcome = caller.outcome(self.id, now, self.deadline);
        // With its outcome the call has left the tables.
        self.answered = outcome.is_some();
        outcome
    }

    fn leave<R, W>(&mut self, caller: &mut Caller<R, W>)
    where
        R: Opener<End: Source>,
        W: Opener<End: Sink>,
    {
        if !self.answered {
            caller.give_up(self.id);
        }
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Caller<R, W>> for Calling {
    type Answer = Event;

    fn begin(&mut self, caller: &mut Caller<R, W>) -> Result<Key> {
        self.open.id = caller.call(std::mem::take(&mut self.body), self.left, self.stamp)?;
        Ok(self.open.id)
    }

    fn look(&mut self, caller: &mut Caller<R, W>, now: Instant) -> Option<Result<Event>> {
        self.open.look(caller, now)
    }

    fn leave(&mut self, caller: &mut Caller<R, W>) {
        self.open.leave(caller);
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Caller<R, W>> for Pinging {
    type Answer = Event;

    fn begin(&mut self, caller: &mut Caller<R, W>) -> Result<Key> {
        self.open.id = caller.ping()?;
        Ok(self.open.id)
    }

    fn look(&mut self, caller: &mut Caller<R, W>, now: Instant) -> Option<Result<Event>> {
        self.open.look(caller, now)
    }

    fn leave(&mut self, caller: &mut Caller<R, W>) {
        self.open.leave(caller);
    }
}
