//! How one call is stopped while all others go on, and what is done where the server does not say
//! that it was.

use super::Caller;
use crate::core::calls::CallId;
use crate::core::errand::Key;
use crate::core::event::{Event, Verb};
use crate::core::outbox::TakenBack;
use crate::core::wire::{self, Found};
use crate::error::{Error, ErrorKind, Fate, Phase};
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Caller<R, W> {
    /// Nothing more of a call will come: ends it, unless its reply was here first.
    #[cold]
    pub(super) fn hear_cancelled(&mut self, event: &Event) {
        if event.to == 0 {
            // To whoever reads is to nobody.
            self.link.stats.late += 1;
            return;
        }
        let fate = match Found::from_bytes(&event.body) {
            Found::Waiting => Fate::NotSent,
            Found::InHand => Fate::Delivered,
            Found::Nothing => Fate::MaybeDelivered,
        };
        // Also where whoever cancelled it waits no longer.
        let fate = self.repeats.fate(event.id, fate);
        self.calls.end(event.id, ErrorKind::Cancelled, fate);
        self.cancels.acknowledge(event.id, self.calls.wakeups());
    }

    /// Has a call stopped; answers under which key the caller of this is woken when [that is
    /// so](Self::is_cancelling). What of its request is unwritten never will be.
    pub(crate) fn cancel(&mut self, id: CallId) -> Key {
        self.last_id = wire::next_id(self.last_id);
        let key = self.last_id;
        if self.cancels.awaits(id) {
            self.cancels.ask(id, key);
            return key;
        }
        let Some(ticket) = self.calls.ticket(id).filter(|_| self.calls.is_open(id)) else {
            return key;
        };
        self.link.stats.cancelled += 1;
        let taken = match self.repeats.waits(id) {
            true => TakenBack::NotSent { begun: false },
            false => self.link.outbox().take_back(ticket),
        };
        self.repeats.stop(id);
        match taken {
            TakenBack::NotSent { .. } => {
                let fate = self.repeats.fate(id, Fate::NotSent);
                self.calls.end(id, ErrorKind::Cancelled, fate);
            }
            TakenBack::Written => {
                self.cancels.ask(id, key);
            }
        }
        // Where nothing of it was written there is nothing to tell.
        if taken != (TakenBack::NotSent { begun: false }) {
            self.push_cancel(id);
        }
        self.look_at_queue();
        self.go_on_closing();
        key
    }

    pub(super) fn push_cancel(&mut self, id: CallId) {
        if self.link.outbox().is_empty() {
            self.link.restart_stall();
        }
        self.link.outbox().push_aside(Event::to(0, Verb::Cancel, id, Vec::new()));
    }

    /// Whether the server has yet to say that nothing more of this call will come.
    pub(crate) fn is_cancelling(&self, id: CallId) -> bool {
        self.cancels.awaits(id)
    }

    /// Nobody waits under this key for the end of a call any more.
    pub(crate) fn stop_cancelling(&mut self, id: CallId, key: Key) {
        self.cancels.leave(id, key);
        if self.calls.ticket(id).is_none() {
            self.cancels.disown(id);
        }
    }

    /// The server does not keep to what was agreed: this life of the client ends, and the next one
    /// begins with the next call. Whatever comes for this one from here on is late.
    pub(crate) fn poison(&mut self) -> Error {
        let departure = self.link.begin_life();
        self.link.stats.poisoned += 1;
        self.end_calls(departure, ErrorKind::Poisoned);
        self.link.doubt_peer();
        self.look_at_queue();
        self.go_on_closing();
        Error::new(ErrorKind::TimedOut, Phase::Cancel).with_fate(Fate::MaybeDelivered)
    }

    /// How many wait for the end of this call.
    #[cfg(test)]
    pub(crate) fn cancellers(&self, id: CallId) -> usize {
        self.cancels.waiters(id)
    }
}
