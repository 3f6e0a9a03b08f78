//! Calls in flight: begun, answered, taken or given up.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Instant;

use super::event::{Event, Verb};
use super::few::Few;
use super::outbox::{Outbox, Ticket};
use super::streams::{Inflow, Outflow, Streams};
use super::wire::Options;
use crate::error::{ErrorKind, Fate};
use crate::stats::RoundTrips;

/// The calls of one client that have not returned to their callers.
#[derive(Debug)]
pub(crate) struct Calls {
    open: Few<CallId, Call, BuildHasherDefault<Spread>>,
    /// Pings among them, which are behind no limit of the calls.
    pings: usize,
    /// Those that wait to see something written: a request, where that is all, or an item.
    writing: BTreeMap<Ticket, CallId>,
    limit: usize,
    /// Whether as many bytes wait to be written as may.
    congested: bool,
    /// Calls whose callers have something to look at.
    wakeups: Vec<CallId>,
    /// Those that wait for a place among the calls in flight; the smallest key came first.
    queue: BTreeSet<CallId>,
    /// Places that are held for a call to come.
    held: BTreeSet<CallId>,
    round_trips: RoundTrips,
}

/// Pings that wait for their answers: more of them say nothing new.
pub(crate) const MAX_PINGS: usize = 64;

/// Names a call for the life of its client; never used twice.
pub(crate) type CallId = u64;

#[derive(Debug)]
struct Call {
    ticket: Ticket,
    wants: Wants,
    streams: Option<Box<Streams>>,
    began: Option<Instant>,
    answer: Option<Answer>,
}

/// What a call waits for.
#[derive(Debug)]
pub(crate) struct Asks {
    pub(crate) wants: Wants,
    streams: Option<Box<Streams>>,
    /// When it began, where its round trip is timed.
    began: Option<Instant>,
}

impl Asks {
    /// Those of a request with these options.
    pub(crate) fn of(options: &Options) -> Self {
        let wants = match options {
            Options { quiet: true, .. } => Wants::Nothing,
            Options { window: Some(_), .. } => Wants::Replies,
            _ => Wants::Reply,
        };
        Self { wants, streams: Streams::of_client(options), began: None }
    }

    /// What it waits for comes of a round trip that begins now. One that carries a stream takes as
    /// long as that lasts, which says nothing.
    pub(crate) fn since(self, now: Instant) -> Self {
        let is_one_round_trip = self.wants == Wants::Reply && self.streams.is_none();
        Self { began: is_one_round_trip.then_some(now), ..self }
    }

    pub(crate) fn for_a_pong() -> Self {
        Self { wants: Wants::Pong, streams: None, began: None }
    }
}

/// What a call ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// A reply, or the failure that stands for one.
    Reply,
    /// The end of many replies, or the last of them.
    Replies,
    Pong,
    /// Its request is written, and that is all.
    Nothing,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The peer answered: a reply, a failure or a pong.
    Event(Event),
    /// Its request was written, and no answer is wanted.
    Written,
    /// It ended without: why, and what became of its request.
    Without(ErrorKind, Fate),
}

/// Hashes an id that was counted up by this side: no peer chooses it, so one multiplication by
/// Knuth's constant (2^64 divided by the golden ratio) spreads it enough.
#[derive(Debug, Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(self.0 ^ u64::from(*byte)));
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Wants {
    /// Whether this is what it waits for.
    fn is(self, verb: Verb) -> bool {
        match self {
            Self::Reply => matches!(verb, Verb::Reply | Verb::Failure),
            Self::Replies => matches!(verb, Verb::Reply | Verb::Failure | Verb::End),
            Self::Pong => verb == Verb::Pong,
            Self::Nothing => false,
        }
    }
}

impl Calls {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            open: Few::default(),
            pings: 0,
            writing: BTreeMap::new(),
            limit,
            congested: false,
            wakeups: Vec::new(),
            queue: BTreeSet::new(),
            held: BTreeSet::new(),
            round_trips: RoundTrips::default(),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.congested || self.open.len() - self.pings + self.held.len() >= self.limit
    }

    /// Whether there are as many pings as may be.
    pub(crate) fn has_many_pings(&self) -> bool {
        self.pings >= MAX_PINGS
    }

    /// Whether as many bytes wait to be written as may.
    pub(crate) fn set_congested(&mut self, congested: bool) {
        self.congested = congested;
        self.fill_places();
    }

    /// Asks for a place under a key that is larger than all before it.
    pub(crate) fn reserve(&mut self, key: CallId) {
        let at_once = !self.is_full() && self.queue.is_empty();
        let places = if at_once { &mut self.held } else { &mut self.queue };
        places.insert(key);
    }

    /// Whether the place is held.
    pub(crate) fn holds(&self, key: CallId) -> bool {
        self.held.contains(&key)
    }

    /// The call that a place was held for begins; `false` where it was not held.
    pub(crate) fn take_place(&mut self, key: CallId) -> bool {
        self.held.remove(&key)
    }

    /// A place is no longer asked for, whether it is held yet or not.
    pub(crate) fn give_place_back(&mut self, key: CallId) {
        self.queue.remove(&key);
        self.held.remove(&key);
        self.fill_places();
    }

    /// There may be room for those that wait for it.
    fn fill_places(&mut self) {
        if !self.queue.is_empty() {
            self.fill_places_in_turn();
        }
    }

    #[cold] // Hardly ever does anybody wait for a place.
    fn fill_places_in_turn(&mut self) {
        while !self.is_full() {
            let Some(first) = self.queue.pop_first() else { return };
            self.held.insert(first);
            self.wakeups.push(first);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    #[cfg(test)]
    pub(crate) fn is_answered(&self, id: CallId) -> bool {
        self.open.get(&id).is_some_and(|call| call.answer.is_some())
    }

    /// Fails where the counters are wrong, or a place is free that somebody waits for.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let pings = self.open.values().filter(|call| call.wants == Wants::Pong).count();
        assert_eq!(pings, self.pings, "pings that are counted");
        assert!(self.queue.is_empty() || self.is_full(), "a place is free, and somebody waits");
    }

    /// All calls, and what they were answered with.
    #[cfg(test)]
    pub(crate) fn each(&self) -> impl Iterator<Item = (CallId, Ticket, Option<&Answer>)> {
        self.open.iter().map(|(id, call)| (*id, call.ticket, call.answer.as_ref()))
    }

    /// Places that are waited for, and places that are held.
    #[cfg(test)]
    pub(crate) fn places(&self) -> [&BTreeSet<CallId>; 2] {
        [&self.queue, &self.held]
    }

    /// What waits to be written.
    #[cfg(test)]
    pub(crate) fn writing(&self) -> usize {
        self.writing.len()
    }

    /// Places that are held or waited for.
    #[cfg(test)]
    pub(crate) fn reserved(&self) -> usize {
        self.queue.len() + self.held.len()
    }

    pub(crate) fn begin(&mut self, id: CallId, ticket: Ticket, asks: Asks) {
        let Asks { wants, streams, began } = asks;
        match wants {
            Wants::Reply | Wants::Replies => {}
            Wants::Pong => self.pings += 1,
            Wants::Nothing => self.await_writing(ticket, id),
        }
        self.open.insert(id, Call { ticket, wants, streams, began, answer: None });
    }

    /// How long the calls took that were answered.
    pub(crate) fn round_trips(&self) -> &RoundTrips {
        &self.round_trips
    }

    pub(crate) fn ticket(&self, id: CallId) -> Option<Ticket> {
        self.open.get(&id).map(|call| call.ticket)
    }

    /// A call has been put again, under another ticket.
    pub(crate) fn renew(&mut self, id: CallId, ticket: Ticket) {
        if let Some(call) = self.open.get_mut(&id) {
            call.ticket = ticket;
        }
    }

    /// Whoever waits for this call looks once this is written.
    #[cold]
    pub(crate) fn await_writing(&mut self, ticket: Ticket, id: CallId) {
        self.writing.insert(ticket, id);
    }

    /// Ends the calls that waited for their requests to be written, and for nothing else; wakes
    /// those that wait for their items.
    pub(crate) fn note_written(&mut self, outbox: &mut Outbox) {
        if self.writing.is_empty() {
            return outbox.forget_written();
        }
        for ticket in outbox.written() {
            let Some(id) = self.writing.remove(&ticket) else { continue };
            let Some(call) = self.open.get_mut(&id) else { continue };
            if call.wants == Wants::Nothing && call.answer.is_none() {
                call.answer = Some(Answer::Written);
            }
            self.wakeups.push(id);
        }
    }

    pub(crate) fn has_streams(&self, id: CallId) -> bool {
        self.open.get(&id).is_some_and(|call| call.streams.is_some())
    }

    /// Whether the server has said anything of a call's streams.
    pub(crate) fn is_acknowledged(&self, id: CallId) -> bool {
        let streams = self.open.get(&id).and_then(|call| call.streams.as_ref());
        streams.is_some_and(|streams| streams.acknowledged)
    }

    /// What comes of a call's stream, for its caller to take.
    pub(crate) fn inflow(&mut self, id: CallId) -> Option<&mut Inflow> {
        self.open.get_mut(&id)?.streams.as_mut()?.inflow.as_mut()
    }

    /// What goes of a call's stream.
    pub(crate) fn outflow(&mut self, id: CallId) -> Option<&mut Outflow> {
        self.open.get_mut(&id)?.streams.as_mut()?.outflow.as_mut()
    }

    /// The peer speaks of a stream that was not ended: its caller is woken.
    pub(crate) fn hear(&mut self, id: CallId) -> Option<&mut Streams> {
        let call = self.open.get_mut(&id).filter(|call| call.answer.is_none())?;
        let streams = call.streams.as_mut()?;
        self.wakeups.push(id);
        Some(streams)
    }

    /// Gives a call its answer, read at `now`; gives the event back where no such call waits for
    /// one.
    pub(crate) fn answer(&mut self, event: Event, now: Instant) -> Option<Event> {
        match self.open.get_mut(&event.id) {
            Some(call) if call.answer.is_none() && call.wants.is(event.verb) => {
                self.wakeups.push(event.id);
                call.answer = Some(Answer::Event(event));
                if let Some(began) = call.began {
                    self.round_trips.record(now.saturating_duration_since(began));
                }
                None
            }
            _ => Some(event),
        }
    }

    /// Ends a call without an answer, if it has none.
    pub(crate) fn end(&mut self, id: CallId, why: ErrorKind, fate: Fate) {
        let Some(call) = self.open.get_mut(&id).filter(|call| call.answer.is_none()) else {
            return;
        };
        call.answer = Some(Answer::Without(why, fate));
        self.wakeups.push(id);
    }

    /// Whether any call waits for its answer.
    pub(crate) fn has_unanswered(&self) -> bool {
        self.open.values().any(|call| call.answer.is_none())
    }

    /// There will be no more calls: whoever waits for a place looks, and finds that.
    pub(crate) fn refuse_places(&mut self) {
        self.wakeups.extend(std::mem::take(&mut self.queue));
    }

    /// Whether a call waits for its answer.
    pub(crate) fn is_open(&self, id: CallId) -> bool {
        self.open.get(&id).is_some_and(|call| call.answer.is_none())
    }

    /// The peer has left, or is given up: ends the calls that it may have seen. `fate` says of a
    /// call and its ticket what became of its request, or `None` where it still waits for a peer.
    /// Answers tickets of items that are for nobody else.
    pub(crate) fn end_all(
        &mut self,
        why: ErrorKind,
        mut fate: impl FnMut(CallId, Ticket) -> Option<Fate>,
    ) -> Vec<Ticket> {
        let mut items = Vec::new();
        for (id, call) in self.open.iter_mut() {
            if call.answer.is_some() {
                continue;
            }
            let Some(mut fate) = fate(*id, call.ticket) else { continue };
            if let Some(streams) = &call.streams {
                items.extend(streams.tickets());
                fate = if streams.acknowledged { Fate::Delivered } else { fate };
            }
            call.answer = Some(Answer::Without(why, fate));
            self.wakeups.push(*id);
        }
        items
    }

    /// Ends an answered call.
    pub(crate) fn take(&mut self, id: CallId) -> Option<Answer> {
        self.open.get(&id).filter(|call| call.answer.is_some())?;
        let mut call = self.open.remove(&id)?;
        let answer = call.answer.take();
        self.forget(&call);
        answer
    }

    /// Nobody waits to see this written.
    pub(crate) fn forget_writing(&mut self, ticket: Ticket) {
        self.writing.remove(&ticket);
    }

    /// Ends a call without its answer; answers the tickets of items of it that may not be written.
    pub(crate) fn give_up(&mut self, id: CallId) -> Vec<Ticket> {
        let call = self.open.remove(&id);
        call.map_or_else(Vec::new, |call| self.forget(&call))
    }

    /// A call has left: so does what was kept beside it.
    fn forget(&mut self, call: &Call) -> Vec<Ticket> {
        let streams = call.streams.as_ref();
        let items = streams.map_or_else(Vec::new, |streams| streams.tickets().collect());
        match call.wants {
            Wants::Pong => self.pings -= 1,
            Wants::Nothing => drop(self.writing.remove(&call.ticket)),
            Wants::Reply | Wants::Replies => {}
        }
        for item in &items {
            self.writing.remove(item);
        }
        self.fill_places();
        items
    }

    /// Has the callers of these tickets look at their calls again.
    pub(crate) fn wake(&mut self, held: impl Fn(Ticket) -> bool) {
        let ids = self.open.iter().filter(|(_, call)| held(call.ticket)).map(|(id, _)| *id);
        self.wakeups.extend(ids);
        let writing = self.writing.iter().filter(|(ticket, _)| held(**ticket)).map(|(_, id)| *id);
        self.wakeups.extend(writing);
    }

    /// Who has something to look at since this was asked last.
    pub(crate) fn wakeups(&mut self) -> &mut Vec<CallId> {
        &mut self.wakeups
    }
}
