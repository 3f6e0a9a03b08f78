//! How a request is answered: queued, written, refused or given up.

use std::time::Instant;

use super::{Answerer, Caller};
#[cfg(any(test, feature = "tokio", feature = "async-io"))]
use crate::core::errand::Key;
use crate::core::event::{Event, Verb};
use crate::core::hands::Unwanted;
use crate::core::outbox::{TakenBack, Ticket};
use crate::core::streams::Outflow;
use crate::core::wire::{Failure, FailureCode};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Answerer<R, W> {
    /// Queues a reply: a body whose memory came from [`spare`](Self::spare) or anywhere. `Err`
    /// where nobody wants it any more.
    pub(crate) fn reply(&mut self, caller: Caller, body: Vec<u8>) -> Result<Ticket> {
        self.answer(Verb::Reply, caller, body)
    }

    /// Queues the end of the items that were sent in answer. `Err` where nobody wants it any more.
    pub(crate) fn end(&mut self, caller: Caller) -> Result<Ticket> {
        self.stop_items(caller);
        let streams = self.hands.streams(caller);
        let end = streams.and_then(|streams| streams.outflow.as_ref()).map(Outflow::end);
        self.answer(Verb::End, caller, end.unwrap_or_default())
    }

    /// Queues the news that a call failed. `Err` where nobody wants it any more.
    pub(crate) fn fail(
        &mut self,
        caller: Caller,
        code: FailureCode,
        words: String,
    ) -> Result<Ticket> {
        let mut body = self.spare();
        Failure::new(code, words).append_to(&mut body);
        self.answer(Verb::Failure, caller, body)
    }

    /// Queues the news that a call failed, for nobody to wait for: its client may never read it,
    /// and one that lets such news pile up does without more of them.
    pub(crate) fn refuse(&mut self, caller: Caller, code: FailureCode, words: String) {
        let (unwanted, to) = (self.unwanted(caller).is_some(), self.hands.asker(caller));
        let unheard = unwanted || self.hands.is_quiet(caller);
        if !unwanted {
            self.keep_failure(caller, code, &words);
        }
        self.put_down(caller);
        if !unheard {
            self.queue_refusal(to, code, words);
        }
    }

    /// A reply that was begun is given up: its caller is told so, unless it was written.
    pub(crate) fn abandon_reply(&mut self, ticket: Ticket, caller: Caller) -> TakenBack {
        let (unwanted, to) = (self.unwanted(caller).is_some(), self.hands.asker(caller));
        let taken = self.link.outbox().take_back(ticket);
        self.give_up(ticket, caller);
        if taken != TakenBack::Written && !unwanted {
            let words = "the request was dropped without an answer";
            self.queue_refusal(to, FailureCode::Dropped, words.to_owned());
        }
        taken
    }

    pub(super) fn queue_refusal(&mut self, caller: Caller, code: FailureCode, words: String) {
        let mut body = self.spare();
        Failure::new(code, words).append_to(&mut body);
        let refusal = Event::to(caller.epoch, Verb::Failure, caller.id, body);
        let queued = self.link.outbox().push_refusal(refusal);
        self.link.stats.unanswered += u64::from(!queued);
        self.owes |= !queued && caller.epoch == self.client;
    }

    /// Why nobody wants an answer to this request any more, where that is so. One that never wanted
    /// an answer, or that may be asked for again, is not for its client to outlive.
    pub(super) fn unwanted(&self, caller: Caller) -> Option<Unwanted> {
        let here = self.hands.asker(caller).epoch == self.client;
        let left = !here && !self.hands.is_quiet(caller);
        let gone = left || self.link.is_closed();
        let gone = gone.then_some(Unwanted::Gone);
        self.hands.unwanted(caller).or(gone)
    }

    /// A request is answered for.
    fn put_down(&mut self, caller: Caller) {
        if let Some(item) = self.hands.put_down(caller, &mut self.wakeups) {
            self.lose(item, Unwanted::Answered);
        }
    }

    /// No more items are sent: one that is under way comes too late.
    fn stop_items(&mut self, caller: Caller) {
        if let Some(outflow) = self.hands.streams(caller).and_then(|it| it.outflow.as_mut()) {
            outflow.ended = true;
        }
        let Some(item) = self.hands.item(caller) else { return };
        if self.withdraw_item(caller, item) != TakenBack::Written {
            self.lose(item, Unwanted::Answered);
        }
    }

    /// Whether anybody wants an answer to this request.
    pub(super) fn still_wanted(&self, caller: Caller) -> Result<()> {
        self.unwanted(caller).map_or(Ok(()), |why| Err(unwanted(why)))
    }

    /// Whether there is nothing to wait for: nobody wants the answer any more, or it is given.
    pub(crate) fn is_settled(&self, caller: Caller) -> bool {
        self.hands.is_settled(caller) || self.unwanted(caller).is_some()
    }

    /// Wakes whoever waits under the key that this answers once the request [is
    /// settled](Self::is_settled).
    #[cfg(any(test, feature = "tokio", feature = "async-io"))]
    pub(crate) fn watch(&mut self, caller: Caller) -> Key {
        let key = self.link.outbox().draw_ticket();
        self.hands.watch(caller, key);
        key
    }

    /// Nobody waits under this key any more.
    #[cfg(any(test, feature = "tokio", feature = "async-io"))]
    pub(crate) fn stop_watching(&mut self, caller: Caller, key: Key) {
        self.hands.stop_watching(caller, key);
    }

    pub(super) fn answer(&mut self, verb: Verb, caller: Caller, body: Vec<u8>) -> Result<Ticket> {
        self.stop_items(caller);
        if let Some(why) = self.unwanted(caller) {
            self.put_down(caller);
            self.link.recycle(body);
            self.link.stats.unanswered += 1;
            return Err(unwanted(why));
        }
        self.keep(caller, verb, &body);
        if self.hands.is_quiet(caller) {
            self.put_down(caller);
            self.link.recycle(body);
            self.awaited += 1;
            // Of nothing, all is written.
            return Ok(self.link.outbox().draw_ticket());
        }
        let to = self.hands.asker(caller);
        let event = Event::to(to.epoch, verb, to.id, body);
        if self.awaited == 0 || self.link.outbox().is_empty() {
            self.link.restart_stall();
        }
        self.awaited += 1;
        let ticket = self.link.outbox().push(event);
        self.hands.replying(caller, ticket);
        Ok(ticket)
    }

    /// What became of a reply, where that is decided.
    pub(crate) fn known_outcome(&mut self, ticket: Ticket) -> Option<Result<()>> {
        if let Some((_, why)) = self.lost.iter().find(|(lost, _)| *lost == ticket) {
            return Some(Err(unwanted(*why)));
        }
        (!self.link.outbox().holds(ticket)).then_some(Ok(()))
    }

    /// Whether a reply is written, if that is known; at its deadline it is.
    pub(crate) fn outcome(
        &mut self,
        ticket: Ticket,
        now: Instant,
        deadline: Deadline,
    ) -> Option<Result<()>> {
        if let Some(outcome) = self.known_outcome(ticket) {
            return Some(outcome);
        }
        if !deadline.passed(now) && !self.link.stalled_for(self.stall, now) {
            return None;
        }
        let not_open = self.link.writer_refused();
        Some(match self.link.outbox().take_back(ticket) {
            TakenBack::Written => Ok(()),
            TakenBack::NotSent { begun } => Err(not_open
                .filter(|_| !begun)
                .unwrap_or_else(|| Error::new(ErrorKind::WriteStalled, Phase::Write))
                .with_fate(Fate::NotSent)),
        })
    }

    /// A reply that was not written is given up: its caller is told so, if it still waits.
    pub(crate) fn give_up_unsent(&mut self, ticket: Ticket, caller: Caller) {
        let wanted = self.unwanted(caller).is_none() && !self.hands.is_quiet(caller);
        let to = self.hands.asker(caller);
        self.give_up(ticket, caller);
        if wanted {
            let words = "the reply was given up before it was written";
            self.queue_refusal(to, FailureCode::Dropped, words.to_owned());
        }
    }

    /// Nobody asks any more what became of this reply. What of it is unwritten never will be.
    pub(crate) fn give_up(&mut self, ticket: Ticket, caller: Caller) {
        self.link.outbox().take_back(ticket);
        self.put_down(caller);
        self.forget_awaited(ticket);
    }

    pub(super) fn forget_awaited(&mut self, ticket: Ticket) {
        self.awaited = self.awaited.saturating_sub(1);
        let none_awaited = self.awaited == 0;
        self.lost.retain(|(lost, _)| *lost != ticket && !none_awaited);
    }

    /// Nobody will ask what became of this reply, which is still to be written.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn forget(&mut self, ticket: Ticket, caller: Caller) {
        self.put_down(caller);
        self.awaited = self.awaited.saturating_sub(1);
        self.lost.retain(|(lost, _)| *lost != ticket);
    }

    /// Whether the wait for this reply would end if its owner looked.
    #[cfg(test)]
    pub(crate) fn has_outcome(&mut self, ticket: Ticket, now: Instant) -> bool {
        self.known_outcome(ticket).is_some() || self.link.stalled_for(self.stall, now)
    }
}

/// What the owner of an answer is told that nobody wants.
fn unwanted(why: Unwanted) -> Error {
    let kind = match why {
        Unwanted::Cancelled => ErrorKind::Cancelled,
        Unwanted::Gone => ErrorKind::PeerClosed,
        Unwanted::Stalled => ErrorKind::WriteStalled,
        Unwanted::Answered => ErrorKind::Closed,
    };
    Error::new(kind, Phase::Write).with_fate(Fate::NotSent)
}
