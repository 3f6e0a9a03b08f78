//! One of many replies to a request, until the FIFO has accepted it.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::outbox::Ticket;
use crate::core::server::{Answerer, Caller};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// Waits until the client has room for an item, and until it is written. Given up, it is not sent,
/// and the next may be.
#[derive(Debug)]
pub(crate) struct SendReply {
    caller: Caller,
    item: Vec<u8>,
    ticket: Ticket,
    deadline: Deadline,
}

impl SendReply {
    pub(crate) fn new(caller: Caller, item: Vec<u8>, deadline: Deadline) -> Self {
        Self { caller, item, ticket: 0, deadline }
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Answerer<R, W>> for SendReply {
    type Answer = ();

    const WRITES: bool = true;

    fn begin(&mut self, answerer: &mut Answerer<R, W>) -> Result<Key> {
        self.ticket = answerer.send_item(self.caller, std::mem::take(&mut self.item))?;
        Ok(self.ticket)
    }

    fn peek(&mut self, answerer: &mut Answerer<R, W>) -> Option<Result<()>> {
        answerer.item_known(self.caller, self.ticket)
    }

    fn look(&mut self, answerer: &mut Answerer<R, W>, now: Instant) -> Option<Result<()>> {
        answerer.item_outcome(self.caller, self.ticket, now, self.deadline)
    }

    fn fail(&mut self, answerer: &mut Answerer<R, W>, error: Error) -> Error {
        error.with_fate(answerer.withdraw_item(self.caller, self.ticket).fate())
    }

    fn leave(&mut self, answerer: &mut Answerer<R, W>) {
        answerer.leave_item(self.caller, self.ticket);
    }
}
