//! A part of what a call brings beside its message, until the FIFO has accepted it.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::calls::CallId;
use crate::core::client::Caller;
use crate::core::event::Verb;
use crate::core::outbox::Ticket;
use crate::core::streams;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// Waits until a part, or the end of the parts, is written; `false` where nobody wants it, because
/// the call has ended. By the deadline of the call it has.
#[derive(Debug)]
pub(crate) struct SendPart {
    id: CallId,
    /// Until it is queued; `None` for the end.
    part: Option<Vec<u8>>,
    ticket: Option<Ticket>,
    deadline: Deadline,
}

impl SendPart {
    pub(crate) fn new(id: CallId, part: Option<Vec<u8>>, deadline: Deadline) -> Self {
        Self { id, part, ticket: None, deadline }
    }

    /// What it has to be written under.
    #[cfg(test)]
    pub(crate) fn ticket(&self) -> Option<Ticket> {
        self.ticket
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Caller<R, W>> for SendPart {
    type Answer = bool;

    const WRITES: bool = true;

    fn begin(&mut self, caller: &mut Caller<R, W>) -> Result<Key> {
        let (verb, body) = match self.part.take() {
            Some(part) => (Verb::Item, part),
            None => (Verb::End, streams::item_in(Vec::new())),
        };
        self.ticket = caller.send_item(self.id, verb, body);
        Ok(self.id)
    }

    fn peek(&mut self, caller: &mut Caller<R, W>) -> Option<Result<bool>> {
        let Some(ticket) = self.ticket else { return Some(Ok(false)) };
        caller.item_outcome(self.id, ticket).map(Ok)
    }

    fn look(&mut self, caller: &mut Caller<R, W>, now: Instant) -> Option<Result<bool>> {
        let Some(ticket) = self.ticket else { return Some(Ok(false)) };
        if let Some(written) = caller.item_outcome(self.id, ticket) {
            return Some(Ok(written));
        }
        if self.deadline.passed(now) {
            return Some(Err(caller.expire(self.id)));
        }
        caller.stalled_item(self.id, ticket, now).map(Err)
    }

    fn fail(&mut self, caller: &mut Caller<R, W>, error: Error) -> Error {
        error.with_fate(caller.give_up(self.id).fate())
    }

    fn leave(&mut self, caller: &mut Caller<R, W>) {
        if let Some(ticket) = self.ticket {
            caller.withdraw_item(self.id, ticket);
        }
    }
}
