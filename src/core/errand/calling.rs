//! A request or a ping, from its beginning to the answer.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::calls::{CallId, Wants};
use crate::core::client::Caller;
use crate::core::event::Event;
use crate::core::wire::Head;
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
    Request { body: Vec<u8>, wants: Wants },
    Ping,
}

impl Calling {
    /// A body begun by [`Caller::request_body`] with the options of this head.
    pub(crate) fn request(mut body: Vec<u8>, head: &Head, deadline: Deadline) -> Self {
        head.write(&mut body);
        Self::new(Asks::Request { body, wants: Wants::of(&head.options) }, deadline)
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
            Asks::Request { body, wants } => {
                caller.call(std::mem::take(body), *wants, self.place)?
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
