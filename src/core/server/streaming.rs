//! Items of streams: those that are sent in answer to a request, and those that come with it.

use std::time::Instant;

use super::{Answerer, Caller};
use crate::core::errand::Key;
use crate::core::event::{Event, Verb};
use crate::core::inbox::Flow;
use crate::core::outbox::{TakenBack, Ticket};
use crate::core::streams::{Inflow, Taken};
use crate::core::wire;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Answerer<R, W> {
    /// Hears what clients have said of streams; answers whether anything may be written for it.
    pub(super) fn hear_flows(&mut self) -> bool {
        self.link.has_flows() && self.hear_each_flow()
    }

    #[inline(never)]
    fn hear_each_flow(&mut self) -> bool {
        let mut flows = false;
        for flow in self.link.flows() {
            match flow {
                Flow::Said(event) => flows |= self.hear_flow(event),
                Flow::Lost((epoch, id)) => {
                    if let Some(inflow) = self.inflow(Caller { epoch, id }) {
                        inflow.break_off();
                        let waiters = inflow.waiters();
                        self.wakeups.extend(waiters);
                    }
                }
            }
        }
        flows
    }

    fn hear_flow(&mut self, event: Event) -> bool {
        let caller = Caller { epoch: event.from, id: event.id };
        if event.verb == Verb::Credit {
            let more = wire::credit_from(&event.body);
            let streams = self.hands.streams(caller);
            let outflow = streams.and_then(|streams| streams.outflow.as_mut());
            let due = more.zip(outflow).and_then(|(more, outflow)| outflow.credit(more));
            self.link.recycle(event.body);
            return due.map(|(ticket, item)| self.link.outbox().push_under(ticket, item)).is_some();
        }
        let Some(inflow) = self.inflow(caller) else {
            self.link.stats.late += 1;
            self.link.recycle(event.body);
            return false;
        };
        let left_over = match event.verb {
            Verb::Item => inflow.receive(event.body).err(),
            _ => {
                inflow.end(&event.body);
                Some(event.body)
            }
        };
        let waiters = inflow.waiters();
        self.wakeups.extend(waiters);
        if let Some(body) = left_over {
            self.link.recycle(body);
        }
        false
    }

    fn inflow(&mut self, caller: Caller) -> Option<&mut Inflow> {
        self.hands.streams(caller)?.inflow.as_mut()
    }

    /// Begins to send an item: at once, or as soon as the client has room. `Err` where nobody wants
    /// it, or the client has asked for one reply.
    pub(crate) fn send_item(&mut self, caller: Caller, body: Vec<u8>) -> Result<Ticket> {
        self.still_wanted(caller)?;
        let ticket = self.link.outbox().draw_ticket();
        if self.hands.is_quiet(caller) {
            // Nobody waits for it, and of nothing, all is written.
            self.awaited += 1;
            return Ok(ticket);
        }
        let answered = !self.hands.has(caller);
        let refused = |kind, words| {
            Err(Error::new(kind, Phase::Write).detailed(words).with_fate(Fate::NotSent))
        };
        let outflow = match self.hands.streams(caller).and_then(|it| it.outflow.as_mut()) {
            Some(outflow) if !outflow.ended => outflow,
            None if !answered => {
                return refused(ErrorKind::Unsupported, "the client has asked for one reply");
            }
            _ => return refused(ErrorKind::Closed, "the request is answered"),
        };
        let due = outflow.send(ticket, Event::to(caller.epoch, Verb::Item, caller.id, body));
        self.hands.replying(caller, ticket);
        if self.awaited == 0 || self.link.outbox().is_empty() {
            self.link.restart_stall();
        }
        self.awaited += 1;
        if let Some((ticket, item)) = due {
            self.link.outbox().push_under(ticket, item);
        }
        Ok(ticket)
    }

    /// What became of an item, where that is decided.
    pub(crate) fn item_known(&mut self, caller: Caller, ticket: Ticket) -> Option<Result<()>> {
        let streams = self.hands.streams(caller);
        let outflow = streams.and_then(|streams| streams.outflow.as_ref());
        if outflow.is_some_and(|outflow| outflow.is_pending(ticket)) {
            return None;
        }
        self.known_outcome(ticket)
    }

    /// What became of an item; at its deadline that is known.
    pub(crate) fn item_outcome(
        &mut self,
        caller: Caller,
        ticket: Ticket,
        now: Instant,
        deadline: Deadline,
    ) -> Option<Result<()>> {
        if let Some(outcome) = self.item_known(caller, ticket) {
            return Some(outcome);
        }
        let stalled = self.link.stalled_for(self.stall, now) && self.link.outbox().holds(ticket);
        if !deadline.passed(now) && !stalled {
            return None;
        }
        let not_open = self.link.writer_refused();
        Some(match self.withdraw_item(caller, ticket) {
            TakenBack::Written => Ok(()),
            TakenBack::NotSent { begun } => Err(not_open
                .filter(|_| !begun)
                .unwrap_or_else(|| Error::new(ErrorKind::WriteStalled, Phase::Write))
                .with_fate(Fate::NotSent)),
        })
    }

    /// Gives up what of an item is not written, and says what became of it.
    pub(crate) fn withdraw_item(&mut self, caller: Caller, ticket: Ticket) -> TakenBack {
        let taken = self.link.outbox().take_back(ticket);
        let streams = self.hands.streams(caller);
        let Some(outflow) = streams.and_then(|streams| streams.outflow.as_mut()) else {
            return taken;
        };
        if outflow.is_pending(ticket) {
            outflow.withdraw();
            return TakenBack::NotSent { begun: false };
        }
        if taken != TakenBack::Written {
            outflow.refund(ticket);
        }
        taken
    }

    /// Nobody asks any more what became of this item.
    pub(crate) fn leave_item(&mut self, caller: Caller, ticket: Ticket) {
        self.withdraw_item(caller, ticket);
        self.hands.resume(caller);
        self.forget_awaited(ticket);
    }

    /// Somebody wants what a client sends with its request: makes room for so many bytes of it,
    /// once.
    pub(crate) fn ask_for_parts(&mut self, caller: Caller, window: usize) {
        let room = self.inflow(caller).and_then(|inflow| inflow.open(window));
        if let Some(room) = room {
            self.push_credit(caller, room);
        }
    }

    /// The next part of what a client sends with its request; `None` in it for the end. This key is
    /// woken when there is something to look at.
    pub(crate) fn next_part(
        &mut self,
        caller: Caller,
        key: Key,
    ) -> Option<Result<Option<Vec<u8>>>> {
        if let Err(error) = self.still_wanted(caller) {
            return Some(Err(error));
        }
        let Some(inflow) = self.inflow(caller) else {
            let words = "the request is answered";
            return Some(Err(Error::new(ErrorKind::Closed, Phase::Read).detailed(words)));
        };
        let part = match inflow.take() {
            Taken::Item(part) => Some(Ok(Some(part))),
            Taken::End => Some(Ok(None)),
            Taken::Broken => {
                let words = "a part of the payload is lost, or came where there was no room for it";
                Some(Err(Error::new(ErrorKind::Torn, Phase::Read).detailed(words)))
            }
            Taken::Nothing => {
                inflow.wait(key);
                None
            }
        };
        if let Some(room) = inflow.regained() {
            self.push_credit(caller, room);
        }
        part
    }

    fn push_credit(&mut self, caller: Caller, room: usize) {
        if self.link.outbox().is_empty() {
            self.link.restart_stall();
        }
        let body = wire::credit_to_bytes(room);
        let credit = Event::to(caller.epoch, Verb::Credit, caller.id, body);
        self.link.outbox().push_credit(credit);
    }

    /// Nobody waits for the next part under this key.
    pub(crate) fn stop_waiting(&mut self, caller: Caller, key: Key) {
        if let Some(inflow) = self.inflow(caller) {
            inflow.stop_waiting(key);
        }
    }
}
