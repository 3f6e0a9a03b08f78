//! A request or a ping, from its beginning to the answer.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::calls::{Asks, CallId};
use crate::core::client::Caller;
use crate::core::event::Event;
use crate::core::repeats::Promise;
use crate::core::wire::Head;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// A request that waits for its reply, or a ping for its pong.
#[derive(Debug)]
pub(crate) struct Calling {
    /// What is said, and what is to come of it, until it is queued.
    body: Vec<u8>,
    asks: Option<Asks>,
    /// Whether it may be put again.
    promise: Option<Promise>,
    /// The place that is held for it.
    place: Option<Key>,
    id: CallId,
    deadline: Deadline,
    answered: bool,
}

impl Calling {
    /// A body begun by [`Caller::request_body`] with the options of this head.
    pub(crate) fn request(mut body: Vec<u8>, head: &Head, deadline: Deadline) -> Self {
        head.write(&mut body);
        Self::new(body, Some(Asks::of(&head.options)), 0, deadline)
    }

    /// May be put again, to those that this promises.
    pub(crate) fn promising(mut self, promised: Option<Promise>) -> Self {
        self.promise = match promised {
            // A server forgets the key of a request without a deadline while that may still come
            // again.
            Some(Promise::SameLife) if self.deadline == Deadline::NEVER => Some(Promise::Untaken),
            promised => promised,
        };
        self
    }

    pub(crate) fn ping(deadline: Deadline) -> Self {
        Self::new(Vec::new(), Some(Asks::for_a_pong()), 0, deadline)
    }

    /// A call that was begun by another errand.
    pub(crate) fn begun(id: CallId, deadline: Deadline) -> Self {
        Self::new(Vec::new(), None, id, deadline)
    }

    /// Whoever has the number of the call looks after it from here on.
    pub(super) fn hand_over(&mut self) {
        self.answered = true;
    }

    /// Its round trip begins now.
    pub(crate) fn since(mut self, now: Instant) -> Self {
        self.asks = self.asks.map(|asks| asks.since(now));
        self
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

    fn new(body: Vec<u8>, asks: Option<Asks>, id: CallId, deadline: Deadline) -> Self {
        Self { body, asks, promise: None, place: None, id, deadline, answered: false }
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Caller<R, W>> for Calling {
    type Answer = Event;

    const WRITES: bool = true;

    fn begin(&mut self, caller: &mut Caller<R, W>) -> Result<Key> {
        if let Some(asks) = self.asks.take() {
            let body = std::mem::take(&mut self.body);
            self.id = match self.promise {
                Some(promise) => caller.call_repeatedly(body, asks, promise, self.place)?,
                None => caller.call(body, asks, self.place)?,
            };
        }
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
        caller.give_up_for(self.id, error)
    }

    fn leave(&mut self, caller: &mut Caller<R, W>) {
        if !self.answered {
            caller.give_up(self.id);
        }
    }
}
