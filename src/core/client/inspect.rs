//! What tests ask of a client.

use std::time::Instant;

use super::Caller;
use crate::core::calls::{Answer, CallId};
use crate::core::closing::Stage;
use crate::core::event::Verb;
use crate::core::model::{Call, ClientClosing, Place};
use crate::error::ErrorKind;
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Caller<R, W> {
    /// Leaves it to the server to find out that nobody waits for a call any more.
    pub(crate) fn abandon_silently(&mut self) {
        self.manners.cancel_abandoned = false;
    }

    /// Whether a call may be put again, or was.
    pub(crate) fn may_repeat(&self, id: CallId) -> bool {
        self.repeats.has(id)
    }

    /// Limits the bytes that wait, or are kept.
    pub(crate) fn limit_queue(&mut self, bytes: usize) {
        self.max_queued = bytes;
    }

    /// Places among the calls in flight that are held or waited for.
    pub(crate) fn reserved(&self) -> usize {
        self.calls.reserved()
    }

    /// Tickets that are waited for to be written.
    pub(crate) fn writing(&self) -> usize {
        self.calls.writing()
    }

    /// Whether it is decided how a call ends.
    pub(crate) fn is_answered(&self, id: CallId) -> bool {
        self.calls.is_answered(id)
    }

    /// Whether nothing of a call's request is left to be written.
    pub(crate) fn is_written(&mut self, id: CallId) -> bool {
        self.calls.ticket(id).is_some_and(|ticket| !self.link.outbox().holds(ticket))
    }

    /// Whether a call would end if its owner looked.
    pub(crate) fn has_outcome(&mut self, id: CallId, now: Instant) -> bool {
        let Some(ticket) = self.calls.ticket(id) else { return true };
        let stalled = self.link.stalled_for(self.stall, now) && self.link.outbox().holds(ticket);
        stalled || self.calls.is_answered(id)
    }

    /// Whether this is still to be written.
    pub(crate) fn holds(&mut self, ticket: u64) -> bool {
        self.link.outbox().holds(ticket)
    }

    /// Whether a call is in the tables.
    pub(crate) fn knows(&self, id: CallId) -> bool {
        self.calls.ticket(id).is_some()
    }

    /// Whether the next of many replies would be had by whoever looked.
    pub(crate) fn has_item(&mut self, id: CallId, now: Instant) -> bool {
        let has_items = self.calls.inflow(id).is_some_and(|inflow| inflow.has_items());
        has_items || self.has_outcome(id, now)
    }

    /// Whether no byte has moved for as long as a call may wait for that.
    pub(crate) fn has_stalled(&self, now: Instant) -> bool {
        self.link.stalled_for(self.stall, now)
    }

    /// Whether no table holds anything of a call.
    pub(crate) fn is_idle(&mut self) -> bool {
        let queued = self.link.has_events() || !self.link.outbox().is_empty();
        let counted = self.calls.len() + self.calls.reserved() + self.link.outbox().unasked();
        !queued && counted == 0 && self.cancels.is_empty() && self.repeats.is_empty()
    }

    /// Takes what was heard of which call since this was asked last.
    pub(crate) fn take_heard(&mut self) -> Vec<(CallId, Verb)> {
        std::mem::take(&mut self.heard)
    }

    /// Fails where the tables say different things.
    pub(crate) fn check(&self) {
        self.link.check();
        self.calls.check();
        self.repeats.check();
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Caller<R, W> {
    /// The calls that this client knows of, and how far they are.
    pub(crate) fn call_states(&mut self) -> Vec<(CallId, Call)> {
        let mut unwritten: Vec<_> = self.link.outbox().awaited().collect();
        unwritten.sort_unstable();
        let held = |ticket| {
            let at = unwritten.binary_search_by_key(&ticket, |(held, _)| *held).ok()?;
            Some(if unwritten[at].1 { Call::Begun } else { Call::Queued })
        };
        let state = |id, ticket, answer: Option<&Answer>| match answer {
            Some(_) if self.cancels.awaits(id) => Call::Crossed,
            Some(Answer::Event(_) | Answer::Written) => Call::Answered,
            // What tells of an item that is lost is an answer of the server's.
            Some(Answer::Without(ErrorKind::Torn, _)) => Call::Answered,
            Some(Answer::Without(..)) => Call::Ended,
            None if self.cancels.awaits(id) => Call::Cancelling,
            None if self.calls.is_acknowledged(id) => Call::Streaming,
            None => held(ticket).unwrap_or(Call::Written),
        };
        let owned = self.calls.each().map(|(id, ticket, answer)| (id, state(id, ticket, answer)));
        let disowned = self.cancels.each().filter(|id| self.calls.ticket(*id).is_none());
        owned.chain(disowned.map(|id| (id, Call::Disowned))).collect()
    }

    /// Places that were asked for.
    pub(crate) fn place_states(&self) -> Vec<(CallId, Place)> {
        let [waiting, held] = self.calls.places();
        let waiting = waiting.iter().map(|key| (*key, Place::Waiting));
        waiting.chain(held.iter().map(|key| (*key, Place::Held))).collect()
    }

    pub(crate) fn closing(&self) -> ClientClosing {
        match self.closing.stage() {
            Stage::Open => ClientClosing::Open,
            Stage::Draining => ClientClosing::Draining,
            Stage::Saying => ClientClosing::Saying,
            Stage::Hearing => ClientClosing::Hearing,
            Stage::Done => ClientClosing::Done,
        }
    }
}
