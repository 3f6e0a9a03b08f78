//! Items of streams: those that come of a call, and those that go with it.

use std::time::Instant;

use super::Caller;
use crate::core::calls::CallId;
use crate::core::event::{Event, Verb};
use crate::core::outbox::{TakenBack, Ticket};
use crate::core::streams::Taken;
use crate::core::wire;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Caller<R, W> {
    /// An item of a call has come; gives back the event where nobody takes it.
    pub(super) fn hear_item(&mut self, event: Event) -> Option<Event> {
        let streams = match event.to {
            0 => None,
            _ => self.calls.hear(event.id),
        };
        let Some(streams) = streams.filter(|streams| streams.inflow.is_some()) else {
            self.link.stats.late += 1;
            return Some(event);
        };
        streams.acknowledged = true;
        let Some(inflow) = streams.inflow.as_mut() else { return Some(event) };
        let Err(body) = inflow.receive(event.body) else { return None };
        // One is lost, or the server does not keep to what was agreed.
        self.calls.end(event.id, ErrorKind::Torn, Fate::Delivered);
        self.push_cancel(event.id);
        self.answers = true;
        Some(Event { body, ..event })
    }

    /// The items of a call end; where some of them have not come, it ends by that.
    pub(super) fn hear_end(&mut self, event: &Event) {
        let lost = match self.calls.inflow(event.id) {
            Some(inflow) if event.to != 0 => !inflow.end(&event.body),
            _ => false,
        };
        if lost && self.calls.is_open(event.id) {
            self.calls.end(event.id, ErrorKind::Torn, Fate::Delivered);
        }
    }

    /// The server has room for more items of a call.
    pub(super) fn hear_credit(&mut self, event: &Event) {
        let streams = match event.to {
            0 => None,
            _ => self.calls.hear(event.id),
        };
        let more = wire::credit_from(&event.body);
        let Some((more, outflow)) = more.zip(streams.and_then(|it| it.outflow.as_mut())) else {
            self.link.stats.late += 1;
            return;
        };
        if let Some((ticket, item)) = outflow.credit(more) {
            self.link.outbox().push_under(ticket, item);
            self.answers = true;
        }
    }

    /// The next item of a call, its end, or how it has failed; at its deadline it has.
    pub(crate) fn next_item(
        &mut self,
        id: CallId,
        now: Instant,
        deadline: Deadline,
    ) -> Option<Result<Option<Vec<u8>>>> {
        if let Some(item) = self.item_here(id) {
            return Some(item);
        }
        let ended = self.outcome(id, now, deadline)?;
        Some(ended.map(|event| (event.verb == Verb::Reply).then_some(event.body)))
    }

    /// The same, whatever the time is.
    pub(crate) fn item_here(&mut self, id: CallId) -> Option<Result<Option<Vec<u8>>>> {
        let Some(inflow) = self.calls.inflow(id) else { return Some(Ok(None)) };
        match inflow.take() {
            Taken::Item(item) => {
                let room = inflow.regained().filter(|_| self.calls.is_open(id));
                if let Some(room) = room {
                    self.push_credit(id, room);
                }
                Some(Ok(Some(item)))
            }
            Taken::Nothing | Taken::End | Taken::Broken => {
                let ended = self.answer(id)?;
                Some(ended.map(|event| (event.verb == Verb::Reply).then_some(event.body)))
            }
        }
    }

    fn push_credit(&mut self, id: CallId, room: usize) {
        if self.link.outbox().is_empty() {
            self.link.restart_stall();
        }
        let body = wire::credit_to_bytes(room);
        self.link.outbox().push_credit(Event::to(0, Verb::Credit, id, body));
    }

    /// Whether it is not decided how a call ends.
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn is_open(&self, id: CallId) -> bool {
        self.calls.is_open(id)
    }

    /// Begins to send an item of a call, or the end of its items: at once, or as soon as the server
    /// has room. `None` where nobody wants it any more.
    pub(crate) fn send_item(&mut self, id: CallId, verb: Verb, body: Vec<u8>) -> Option<Ticket> {
        let ticket = self.link.outbox().draw_ticket();
        if !self.calls.is_open(id) {
            return None;
        }
        let outflow = self.calls.outflow(id).filter(|outflow| !outflow.ended)?;
        outflow.ended = verb == Verb::End;
        // The end waits for room like an item: it must not be there before the request is taken.
        let due = outflow.send(ticket, Event::to(0, verb, id, body));
        self.calls.await_writing(ticket, id);
        if let Some((ticket, event)) = due {
            if self.link.outbox().is_empty() {
                self.link.restart_stall();
            }
            self.link.outbox().push_under(ticket, event);
        }
        Some(ticket)
    }

    /// Whether an item is written, if that is known: `false` where nobody wants it any more.
    pub(crate) fn item_outcome(&mut self, id: CallId, ticket: Ticket) -> Option<bool> {
        if !self.calls.is_open(id) {
            return Some(false);
        }
        let pending = self.calls.outflow(id).is_some_and(|outflow| outflow.is_pending(ticket));
        (!pending && !self.link.outbox().holds(ticket)).then_some(true)
    }

    /// Ends the call of an item for which nothing has moved for too long.
    pub(crate) fn stalled_item(
        &mut self,
        id: CallId,
        ticket: Ticket,
        now: Instant,
    ) -> Option<Error> {
        if !self.link.stalled_for(self.stall, now) || !self.link.outbox().holds(ticket) {
            return None;
        }
        self.give_up(id);
        Some(Error::new(ErrorKind::WriteStalled, Phase::Write).with_fate(Fate::MaybeDelivered))
    }

    /// Gives an item up that was not written.
    pub(crate) fn withdraw_item(&mut self, id: CallId, ticket: Ticket) {
        self.calls.forget_writing(ticket);
        let taken = self.link.outbox().take_back(ticket);
        self.look_at_queue();
        let Some(outflow) = self.calls.outflow(id) else { return };
        if outflow.is_pending(ticket) {
            outflow.withdraw();
        } else if taken != TakenBack::Written {
            outflow.refund(ticket);
        }
    }

    /// Items of calls that have ended are for nobody.
    pub(super) fn take_items_back(&mut self, tickets: impl IntoIterator<Item = Ticket>) {
        for ticket in tickets {
            self.link.outbox().take_back(ticket);
        }
    }
}
