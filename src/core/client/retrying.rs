//! How a call is put again: after its server has left, or has declined it.

use super::Caller;
use crate::core::calls::{Asks, CallId, Wants};
use crate::core::event::{Event, Verb};
use crate::core::repeats::Promise;
use crate::core::wire::{Failure, FailureCode, RequestKey};
use crate::error::{ErrorKind, Fate, Result};
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Caller<R, W> {
    /// A key that no other call has, of this client or another: random bits of this one, and a
    /// count.
    pub(crate) fn draw_key(&mut self) -> RequestKey {
        self.last_id += 1;
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.root.to_le_bytes());
        key[8..].copy_from_slice(&self.last_id.to_le_bytes());
        key
    }

    /// Queues a request as [`call`](Self::call) does, and keeps it to be put again.
    pub(crate) fn call_repeatedly(
        &mut self,
        body: Vec<u8>,
        asks: Asks,
        promise: Promise,
        place: Option<CallId>,
    ) -> Result<CallId> {
        let attempts = self.manners.max_retries;
        if attempts == 0 || asks.wants != Wants::Reply {
            return self.call(body, asks, place);
        }
        let kept = body.clone();
        let id = self.call(body, asks, place)?;
        self.repeats.begin(id, promise, attempts, kept);
        self.look_at_queue();
        Ok(id)
    }

    /// Queues a request once more, after an attempt of this fate, which was said to this life.
    pub(super) fn put_again(&mut self, id: CallId, fate: Fate, life: u64) {
        let Some(attempt) = self.repeats.again(id, fate, life) else { return };
        if self.link.outbox().is_empty() {
            self.link.restart_stall();
        }
        let event = Event::to(attempt.to, Verb::Request, id, attempt.body);
        let ticket = self.link.outbox().push(event);
        self.calls.renew(id, ticket);
        // The FIFO may be stuck for so long already that this is the end of it.
        self.calls.wakeups().push(id);
        self.link.stats.retried += 1;
        self.answers = true;
    }

    /// The server may have declined a call that can be put again; answers whether that is so. One
    /// that leaves would decline it until it has left.
    pub(super) fn hear_declined(&mut self, event: &Event) -> bool {
        let id = event.id;
        let open = event.verb == Verb::Failure && self.calls.is_open(id);
        if !open || !self.repeats.may_move(id) || self.repeats.waits(id) {
            return false;
        }
        let Some(ticket) = self.calls.ticket(id) else { return false };
        match Failure::from_bytes(&event.body).code {
            FailureCode::Stale => {
                // Its first part is answered, and others may be still to come.
                self.link.outbox().take_back(ticket);
                self.put_again(id, Fate::NotSent, 0);
            }
            FailureCode::Closing => {
                self.link.outbox().take_back(ticket);
                self.repeats.wait(id);
            }
            _ => return false,
        }
        true
    }

    /// Where nobody reads the requests, the life that some calls are bound to is over.
    pub(super) fn end_bound_calls(&mut self) {
        if !self.repeats.is_empty() {
            self.end_bound_calls_if_unread();
        }
    }

    #[cold]
    fn end_bound_calls_if_unread(&mut self) {
        if self.repeats.bound().next().is_none() {
            return;
        }
        let refusal = self.link.writer_refused().map(|refusal| refusal.kind());
        if refusal != Some(ErrorKind::NoReader) {
            return;
        }
        let bound: Vec<_> = self.repeats.bound().collect();
        for id in bound {
            let Some(ticket) = self.calls.ticket(id).filter(|_| self.calls.is_open(id)) else {
                continue;
            };
            self.link.outbox().take_back(ticket);
            self.calls.end(id, ErrorKind::PeerClosed, Fate::MaybeDelivered);
        }
    }

    /// A call has ended: nothing of it is kept.
    pub(super) fn end_repeats(&mut self, id: CallId) {
        if !self.repeats.is_empty() {
            self.repeats.end(id);
            self.look_at_queue();
        }
    }
}
