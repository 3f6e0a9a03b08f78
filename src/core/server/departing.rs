//! The ends of lives: a client that has left or is given up, a server that is closed.

use std::time::Instant;

use super::Answerer;
use crate::core::closing::Stage;
use crate::core::event::{Event, Verb};
use crate::core::hands::{Stopped, Unwanted};
use crate::core::outbox::{TakenBack, Ticket};
use crate::core::wire::{Failure, FailureCode, Head};
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Answerer<R, W> {
    /// Another client may speak now: the one before it waits for nothing any more.
    pub(super) fn meet_client(&mut self) {
        let speaker = self.link.speaker();
        if speaker != self.client && speaker != 0 {
            self.end_client(Unwanted::Gone);
            self.client = speaker;
            (self.seen_off, self.owes) = (false, false);
        }
    }

    /// The client has left, or is given up: what was on its way to it is taken back.
    #[cold]
    pub(super) fn end_client(&mut self, why: Unwanted) {
        let client = std::mem::take(&mut self.client);
        for stopped in self.hands.end_client(client, why, &mut self.wakeups) {
            self.stop(stopped, why);
        }
    }

    /// The client has not read for too long: it is given up, with all of its calls, so that whoever
    /// has replies for it learns so at once and nothing more is kept for it.
    #[cold]
    pub(super) fn evict(&mut self, now: Instant) {
        let eviction = self.link.eviction(self.client, now);
        self.end_client(Unwanted::Stalled);
        self.link.evict(eviction);
        // What was dropped has made room to hear more.
        self.unheard = true;
    }

    /// A client that has said goodbye, and has all its answers, is told so and let go: it reads to
    /// the end of the FIFO. Answers whether anything was done.
    pub(super) fn see_off(&mut self) -> bool {
        let leaves = self.client != 0 && self.link.farewell() == self.client;
        if !leaves || self.link.has_events() || !self.has_answered() {
            return false;
        }
        self.take_leave();
        true
    }

    #[cold]
    fn take_leave(&mut self) {
        if !self.seen_off && !self.owes {
            self.seen_off = true;
            self.say_goodbye();
        } else {
            self.link.half_close();
            self.link.forget_peer();
            self.end_client(Unwanted::Gone);
        }
    }

    /// Whether all that was taken is answered to the last byte.
    pub(super) fn has_answered(&mut self) -> bool {
        !self.hands.has_wanted() && self.link.outbox().is_empty()
    }

    pub(super) fn say_goodbye(&mut self) {
        let goodbye = Event::to(self.client, Verb::Goodbye, 0, Vec::new());
        self.link.outbox().push_answer(goodbye);
    }

    /// Takes the next step towards the end, where that is wanted and possible; answers whether it
    /// did. What has come and was not taken is declined first, so that the goodbye is the last
    /// word.
    pub(super) fn go_on_closing(&mut self) -> bool {
        self.closing.has_begun() && self.close_further()
    }

    #[cold]
    fn close_further(&mut self) -> bool {
        let next = match self.closing.stage() {
            Stage::Draining => {
                let declined = self.decline_requests();
                match self.has_answered() && !self.hands.has_quiet() {
                    false => return declined,
                    true if self.link.writer().is_none() || self.owes => Stage::Done,
                    true => {
                        self.say_goodbye();
                        Stage::Saying
                    }
                }
            }
            Stage::Saying if self.has_answered() => Stage::Done,
            Stage::Open | Stage::Saying | Stage::Hearing | Stage::Done => return false,
        };
        self.closing.enter(next, &mut self.wakeups);
        true
    }

    pub(super) fn decline_requests(&mut self) -> bool {
        let mut any = false;
        while !self.link.outbox().is_bothered(0) {
            let Some(event) = self.link.next_event() else { break };
            any = true;
            if !Head::is_quiet(&event.body) {
                let mut body = self.spare();
                let words = "the server closes".to_owned();
                Failure::new(FailureCode::Closing, words).append_to(&mut body);
                let declined = Event::to(event.from, Verb::Failure, event.id, body);
                self.link.outbox().push_answer(declined);
            }
            self.link.recycle(event.body);
        }
        any
    }

    /// Takes back what was under way for an answer that nobody wants.
    pub(super) fn stop(&mut self, stopped: Stopped, why: Unwanted) {
        match stopped {
            Stopped::Handler => {}
            Stopped::Item(ticket) => self.lose(ticket, why),
            Stopped::Reply(ticket) => {
                if self.link.outbox().take_back(ticket) != TakenBack::Written {
                    self.lose(ticket, why);
                }
            }
        }
    }

    #[cold]
    pub(super) fn lose(&mut self, ticket: Ticket, why: Unwanted) {
        self.wakeups.push(ticket);
        if self.awaited > 0 {
            self.lost.push((ticket, why));
        }
    }
}
