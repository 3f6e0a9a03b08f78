//! What tests ask of a client.

use std::time::Instant;

use super::Caller;
use crate::core::calls::CallId;
use crate::core::event::Verb;
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Caller<R, W> {
    /// Leaves it to the server to find out that nobody waits for a call any more.
    pub(crate) fn abandon_silently(&mut self) {
        self.manners.cancel_abandoned = false;
    }

    /// Places among the calls in flight that are held or waited for.
    pub(crate) fn reserved(&self) -> usize {
        self.calls.reserved()
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

    /// Whether no table holds anything of a call.
    pub(crate) fn is_idle(&mut self) -> bool {
        let queued = self.link.has_events() || !self.link.outbox().is_empty();
        let counted = self.calls.len() + self.calls.reserved() + self.link.outbox().unasked();
        !queued && counted == 0 && self.cancels.is_empty()
    }

    /// Takes what was heard of which call since this was asked last.
    pub(crate) fn take_heard(&mut self) -> Vec<(CallId, Verb)> {
        std::mem::take(&mut self.heard)
    }

    /// Fails where the tables say different things.
    pub(crate) fn check(&self) {
        self.link.check();
        self.calls.check();
    }
}
