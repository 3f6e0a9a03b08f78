//! A reply, from its queueing until the FIFO has accepted it.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::outbox::{TakenBack, Ticket};
use crate::core::server::{Answerer, Caller};
use crate::core::wire::FailureCode;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// Waits until a reply is written.
#[derive(Debug)]
pub(crate) struct Replying {
    caller: Caller,
    answer: Answer,
    deadline: Deadline,
    ticket: Ticket,
    sent: bool,
    answered: bool,
}

/// What the caller is told.
#[derive(Debug)]
pub(crate) enum Answer {
    Reply(Vec<u8>),
    Failure(FailureCode, String),
    /// No more items follow those that were sent.
    End,
}

impl Answer {
    /// Bytes that were encoded for it.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Reply(body) => body.len(),
            Self::Failure(_, words) => words.len(),
            Self::End => 0,
        }
    }
}

impl Replying {
    pub(crate) fn new(caller: Caller, answer: Answer, deadline: Deadline) -> Self {
        Self { caller, answer, deadline, ticket: 0, sent: false, answered: false }
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Answerer<R, W>> for Replying {
    type Answer = ();

    const WRITES: bool = true;

    fn begin(&mut self, answerer: &mut Answerer<R, W>) -> Result<Key> {
        self.ticket = match std::mem::replace(&mut self.answer, Answer::Reply(Vec::new())) {
            Answer::Reply(body) => answerer.reply(self.caller, body)?,
            Answer::Failure(code, words) => answerer.fail(self.caller, code, words)?,
            Answer::End => answerer.end(self.caller)?,
        };
        Ok(self.ticket)
    }

    fn peek(&mut self, answerer: &mut Answerer<R, W>) -> Option<Result<()>> {
        let outcome = answerer.known_outcome(self.ticket)?;
        self.answered = true;
        self.sent = outcome.is_ok();
        Some(outcome)
    }

    fn look(&mut self, answerer: &mut Answerer<R, W>, now: Instant) -> Option<Result<()>> {
        let outcome = answerer.outcome(self.ticket, now, self.deadline)?;
        self.answered = true;
        self.sent = outcome.is_ok();
        Some(outcome)
    }

    fn fail(&mut self, answerer: &mut Answerer<R, W>, error: Error) -> Error {
        self.answered = true;
        error.with_fate(answerer.link_mut().outbox().take_back(self.ticket).fate())
    }

    fn leave(&mut self, answerer: &mut Answerer<R, W>) {
        if self.answered && self.sent {
            answerer.give_up(self.ticket, self.caller);
        } else if self.answered {
            answerer.give_up_unsent(self.ticket, self.caller);
        } else {
            self.sent = answerer.abandon_reply(self.ticket, self.caller) == TakenBack::Written;
        }
        answerer.link_mut().stats.unanswered += u64::from(!self.sent);
    }
}
