//! What there is room for, and what is said to whoever asks for more.

use std::ops::Range;

use super::{Flow, Inbox, MAX_CONTROL_BODY, MAX_PONG_BODY};
use crate::core::buffer::Buffer;
use crate::core::event::{Event, Verb};
#[cfg(test)]
use crate::core::inbox::How;
use crate::core::outbox::Outbox;
use crate::core::streams::{MAX_CHUNK, MAX_PART, NUMBER_LEN};
use crate::core::wire::{Failure, FailureCode, Head, MAX_FRAME};

impl Inbox {
    /// What speaks against an event with so many bytes, of which the first stand at this range, if
    /// anything does.
    pub(super) fn objection(
        &mut self,
        verb: Verb,
        bytes: usize,
        first: Range<usize>,
    ) -> Option<FailureCode> {
        if self.is_too_large(verb, bytes, first) {
            return Some(FailureCode::TooLarge);
        }
        if verb != Verb::Request || self.parks() || self.has_room_for(bytes) {
            return None;
        }
        // A short message may stand in the memory of a long one before it.
        self.events.iter_mut().for_each(|event| event.body.shrink_to_fit());
        self.count_events();
        (!self.has_room_for(bytes)).then_some(FailureCode::Overloaded)
    }

    /// Whether one more request can wait here; one that is alone always can.
    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        if self.events.is_empty() {
            return true;
        }
        let taken = self.events_bytes + self.assembly.announced();
        self.events.len() < self.limits.requests
            && taken + bytes <= self.limits.bytes.max(Buffer::CAPACITY)
    }

    /// What is for another life is not taken. Whoever asked that one is told, so that it asks again
    /// or gives up, instead of waiting for one that is no more.
    #[cold]
    pub(super) fn decline(&mut self, event: Event, first: Range<usize>, outbox: &mut Outbox) {
        match event.verb {
            Verb::Request if event.from != self.shunned => {
                self.refuse(FailureCode::Stale, event, first, outbox);
            }
            _ => outbox.recycle(event.body),
        }
    }

    /// A request or a reply that there is no room for fails its own call and nothing else. Nobody
    /// waits to hear so of a request that wants no answer.
    #[cold]
    pub(super) fn refuse(
        &mut self,
        why: FailureCode,
        event: Event,
        first: Range<usize>,
        outbox: &mut Outbox,
    ) {
        #[cfg(test)]
        self.note(event.verb, event.key(), event.to, How::Refused);
        let words = match why {
            FailureCode::Overloaded => {
                self.stats.overloaded += 1;
                "too many requests wait".to_owned()
            }
            FailureCode::Stale => "it was for a server that has ended".to_owned(),
            _ => {
                self.stats.too_large += 1;
                format!("the limit is {} bytes", self.limits.bytes)
            }
        };
        let mut body = outbox.spare();
        Failure::new(why, words).append_to(&mut body);
        let failure = Event { verb: Verb::Failure, body, ..event };
        match event.verb {
            // To the caller, as the server's answer.
            Verb::Request if Head::is_quiet(self.buffer.consumed(first)) => {
                outbox.recycle(failure.body);
            }
            Verb::Request => {
                let (to, id) = (failure.from, failure.id);
                outbox.push_answer(Event::to(to, Verb::Failure, id, failure.body));
            }
            // To our own caller, in place of the reply.
            Verb::Reply | Verb::Failure => self.deliver(failure, outbox),
            Verb::Item if self.hears_a_server => self.deliver(failure, outbox),
            Verb::Item => {
                self.flows.push(Flow::Lost(failure.key()));
                outbox.recycle(failure.body);
            }
            _ => {}
        }
    }

    /// Whether what has come must be taken, or what was answered be read, before more is heard:
    /// the peer then waits in the pipe, and its memory is not ours.
    pub(crate) fn is_full(&self, outbox: &Outbox) -> bool {
        if outbox.is_bothered(self.asks.len()) {
            return true;
        }
        // Asked several times a step, so what is nearly always enough comes first.
        self.parks() && !self.events.is_empty() && self.is_crowded()
    }

    /// Whether requests for which there is no room wait in the pipe, with all that is behind them.
    fn parks(&self) -> bool {
        self.limits.parks && !self.hears_through
    }

    fn is_crowded(&self) -> bool {
        self.need() > self.limits.bytes || self.events.len() >= self.limits.requests
    }

    /// Bytes of memory that are taken, or may be by the next frame: it may make a message in the
    /// making grow by as much as it holds.
    pub(super) fn need(&self) -> usize {
        let next = self.assembly.largest().max(MAX_FRAME);
        self.events_bytes + self.assembly.held() + next
    }

    /// Memory that is only kept for later gives way to events that wait now.
    pub(super) fn shed(&mut self) {
        if !self.events.is_empty() && self.need() + self.assembly.kept() > self.limits.bytes {
            self.assembly.shed();
        }
    }

    /// Whether the body of an event has more bytes than it may.
    fn is_too_large(&self, verb: Verb, bytes: usize, first: Range<usize>) -> bool {
        let limit = match verb {
            Verb::Request | Verb::Reply => self.limits.bytes,
            // Its words have a limit of their own; who accepts little still wants to know why.
            Verb::Failure => self.limits.bytes.max(Failure::MAX_LEN),
            // Many replies are messages; what a request brings is a payload.
            Verb::Item if self.hears_a_server => self.limits.bytes.max(MAX_CHUNK) + NUMBER_LEN,
            Verb::Item => MAX_PART,
            Verb::Pong => MAX_PONG_BODY,
            _ => MAX_CONTROL_BODY,
        };
        // The message of a request begins behind the head.
        let head = || Head::len_of(self.buffer.consumed(first));
        bytes > limit && (verb != Verb::Request || bytes > limit.saturating_add(head()))
    }
}
