//! What a session has heard: unread bytes turned into events, within one limit.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use super::assembly::{Added, Assembly, Key, Part};
use super::buffer::Buffer;
use super::dialect::{Dialect, Heard};
use super::event::{Event, Lives, Verb};
use super::outbox::Outbox;
use super::wire::{self, Failure, FailureCode, MAX_FRAME, Remaining, SkipReason};
use crate::pipe::{Read, Source};
use crate::stats::LinkStats;

/// Bytes that came, messages in the making, and events that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Inbox {
    buffer: Buffer,
    dialect: Dialect,
    assembly: Assembly,
    events: VecDeque<Event>,
    events_bytes: usize,
    /// What the peer asks that the engine has not answered yet.
    asks: Vec<Ask>,
    limits: Limits,
    /// A message that was refused by its first part: the others only pass.
    passing: Option<Key>,
    /// How many of the events were found to be in time.
    in_time: usize,
    /// Ours, and that of the peer that was heard last.
    lives: Lives,
    /// Whether anything was read since the last peer left.
    met: bool,
    /// Whether that life may have ended unnoticed.
    doubted: bool,
    /// Whether the peer is a server.
    hears_a_server: bool,
    /// The peer that was known when another was heard.
    relieved: Option<u64>,
    /// Whoever said something last; zero for nobody since the last peer left.
    speaker: u64,
    /// A life that has left, of which the last words are still heard: those of another are not
    /// before that is known. Zero for none.
    leaver: u64,
    /// A life that was given up, and is not listened to; zero for none.
    shunned: u64,
    /// The life that has said goodbye; zero for none.
    farewell: u64,
    pub(crate) stats: LinkStats,
}

/// What an inbox has room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of one message, and of all that waits here; for that it is the window at least.
    pub(crate) bytes: usize,
    /// Requests that wait to be taken.
    pub(crate) requests: usize,
    /// Whether the peer waits in the pipe for room, control included. Otherwise a request for which
    /// there is none is refused, and control is behind nothing.
    pub(crate) parks: bool,
}

impl Limits {
    /// Of a side that takes whatever comes as soon as it has come.
    pub(crate) fn of(bytes: usize) -> Self {
        Self { bytes, requests: usize::MAX, parks: true }
    }
}

/// Control that wants an answer: at once, behind no handler and no queue of requests.
#[derive(Debug)]
pub(crate) enum Ask {
    Ping(Event),
    /// Whether the request of this call waited here: it is dropped.
    Cancel {
        key: Key,
        waited: bool,
    },
}

/// The most bytes that control may carry, as `docs/PROTOCOL.md` has it.
const MAX_CONTROL_BODY: usize = 64;

/// A pong says more than its ping.
const MAX_PONG_BODY: usize = 128;

impl Inbox {
    pub(crate) fn new(limits: Limits, epoch: u64) -> Self {
        Self {
            buffer: Buffer::default(),
            dialect: Dialect::default(),
            assembly: Assembly::new(limits.bytes.saturating_add(Remaining::LEN)),
            events: VecDeque::new(),
            events_bytes: 0,
            asks: Vec::new(),
            limits,
            passing: None,
            in_time: 0,
            lives: Lives { ours: epoch, peer: 0 },
            met: false,
            doubted: false,
            hears_a_server: false,
            relieved: None,
            speaker: 0,
            leaver: 0,
            shunned: 0,
            farewell: 0,
            stats: LinkStats::default(),
        }
    }

    /// Our life, and that of the peer that was heard last.
    #[cfg(test)]
    pub(crate) fn lives(&self) -> Lives {
        self.lives
    }

    /// What a server says is heard, and nothing else.
    pub(crate) fn hear_a_server(&mut self) {
        self.hears_a_server = true;
    }

    /// The life that has said something last; zero for none since the last peer left.
    pub(crate) fn speaker(&self) -> u64 {
        self.speaker
    }

    /// The life that has said goodbye; zero for none.
    pub(crate) fn farewell(&self) -> u64 {
        self.farewell
    }

    /// The life that was known before another spoke, if that has happened since this was asked last.
    pub(crate) fn take_relieved(&mut self) -> Option<u64> {
        self.relieved.take()
    }

    /// The life that was heard last; zero for none.
    pub(crate) fn peer(&self) -> u64 {
        self.lives.peer
    }

    /// Our life, and the one that is spoken to; zero for whoever reads.
    pub(crate) fn addresses(&self) -> Lives {
        Lives { peer: if self.doubted { 0 } else { self.lives.peer }, ..self.lives }
    }

    /// The peer has not answered in time: what is said from here on is for whoever reads, until it
    /// is heard again. Where the next life opened its end before the last words of this one were
    /// read, nothing else tells of the change.
    pub(crate) fn doubt_peer(&mut self) {
        self.doubted = true;
    }

    /// Whether anybody has written since the last peer left, and be it the rest of what was for another.
    pub(crate) fn has_met(&self) -> bool {
        self.met
    }

    /// The peer has left; whoever comes next has another life.
    pub(crate) fn forget_peer(&mut self) {
        self.lives.peer = 0;
        (self.speaker, self.leaver) = (0, 0);
        self.met = false;
    }

    /// Whoever has said something last has left; of its words some may lie before those of another.
    pub(crate) fn await_last_words(&mut self) {
        self.leaver = self.speaker;
    }

    /// Whatever this life says from here on is not heard, and what waits is dropped: it is of this
    /// life, or of one before it.
    pub(crate) fn shun(&mut self, life: u64) {
        self.shunned = life;
        self.speaker = 0;
        self.events.clear();
        (self.events_bytes, self.in_time) = (0, 0);
        self.assembly = Assembly::new(self.limits.bytes.saturating_add(Remaining::LEN));
    }

    /// A life that was given up has left; whoever comes is heard.
    pub(crate) fn forgive(&mut self) {
        self.shunned = 0;
    }

    /// Another life of ours begins; what has come is still taken.
    pub(crate) fn renew_life(&mut self) {
        self.lives.ours = wire::next_epoch(self.lives.ours);
    }

    /// Another life of ours begins, and nothing that has come is for it.
    pub(crate) fn begin_life(&mut self) {
        self.renew_life();
        self.events.clear();
        (self.events_bytes, self.in_time) = (0, 0);
        self.assembly = Assembly::new(self.limits.bytes.saturating_add(Remaining::LEN));
    }

    /// Takes what the peer asks and was not answered.
    pub(crate) fn asks(&mut self) -> Vec<Ask> {
        std::mem::take(&mut self.asks)
    }

    /// Drops requests of which no time was left when they came: the monotonic clock reads `now_ns`.
    /// Answers how many. Those that run out while they wait are found when they are taken.
    pub(crate) fn drop_expired(&mut self, now_ns: u64) -> u64 {
        let is_late = |event: &Event| event.verb == Verb::Request && is_expired(event, now_ns);
        let before = self.events.len();
        if self.events.range(self.in_time..).any(is_late) {
            let fresh = self.events.split_off(self.in_time);
            self.events.extend(fresh.into_iter().filter(|event| !is_late(event)));
            self.count_events();
        }
        self.in_time = self.events.len();
        (before - self.in_time) as u64
    }

    fn count_events(&mut self) {
        self.events_bytes = self.events.iter().map(cost).sum();
    }

    /// Whether there are events that nobody has looked at.
    pub(crate) fn has_fresh(&self) -> bool {
        self.events.len() > self.in_time
    }

    /// Events that wait to be taken.
    pub(crate) fn waiting(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The next event that has come.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.in_time = self.in_time.saturating_sub(1);
        self.events_bytes -= cost(&event);
        Some(event)
    }

    /// Takes back the memory of a long message; gives back that of a short one, and of one that is
    /// longer than any that comes.
    pub(crate) fn recycle(&mut self, body: Vec<u8>) -> Option<Vec<u8>> {
        let most = self.limits.bytes.saturating_add(Remaining::LEN);
        let long = body.capacity() > Buffer::CAPACITY && body.capacity() <= most;
        if long && body.capacity() > self.assembly.done().capacity() {
            *self.assembly.done() = body;
            return None;
        }
        Some(body)
    }

    /// Reads once; `None` where the window is full.
    pub(crate) fn fill(&mut self, source: &mut impl Source) -> io::Result<Option<Read>> {
        self.buffer.fill(source)
    }

    /// The memory taken for what has come, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        let bodies: usize = self.events.iter().map(|event| event.body.capacity()).sum();
        let places = self.events.capacity() * size_of::<Event>();
        self.buffer.held() + self.assembly.held() + self.assembly.kept() + bodies + places
    }

    /// Fails where the counters are wrong.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let bytes: usize = self.events.iter().map(cost).sum();
        assert_eq!(self.events_bytes, bytes, "bytes of events that are counted");
        assert!(self.in_time <= self.events.len(), "more events in time than there are");
    }

    /// Whether a message is being put together.
    #[cfg(test)]
    pub(crate) fn is_assembling(&self) -> bool {
        !self.assembly.is_idle()
    }

    /// Drops everything that is not a whole event.
    pub(crate) fn discard(&mut self) {
        self.buffer.clear();
        self.dialect = Dialect::default();
        self.assembly = Assembly::new(self.limits.bytes.saturating_add(Remaining::LEN));
    }

    /// Turns unread bytes into events.
    pub(crate) fn hear(&mut self, outbox: &mut Outbox) {
        self.met |= !self.buffer.is_empty();
        while !self.buffer.is_empty() && !self.is_full(outbox) {
            self.shed();
            let at = self.buffer.position();
            let heard = self.dialect.decode(self.buffer.unread());
            if self.leaver != 0 && heard.life().is_some_and(|life| life != self.leaver) {
                self.relieved = Some(self.leaver);
                return;
            }
            match heard {
                Heard::More => return,
                Heard::Skip { used, reason } => {
                    self.buffer.consume(used);
                    self.stats.skipped_bytes += used as u64;
                    match reason {
                        SkipReason::Garbage => {}
                        SkipReason::Torn => self.stats.torn += 1,
                        SkipReason::Unknown => self.stats.unknown += 1,
                    }
                }
                Heard::Whole { verb, from, to, id, body, used } => {
                    self.buffer.consume(used);
                    let event = Event { verb, from, to, id, body: outbox.spare() };
                    if !self.is_heard(verb) {
                        outbox.recycle(event.body);
                        continue;
                    }
                    if !self.is_for_us(from, to) {
                        self.decline(event, outbox);
                        continue;
                    }
                    self.whole(event, at + body.start..at + body.end, outbox);
                }
                Heard::Part { verb, to, key, offset, total, body, used } => {
                    self.buffer.consume(used);
                    let event = Event { verb, from: key.0, to, id: key.1, body: Vec::new() };
                    if !self.is_heard(verb) {
                        continue;
                    }
                    if !self.is_for_us(key.0, to) {
                        // Its first part is answered; the others only pass.
                        if offset == 0 {
                            self.decline(event, outbox);
                        }
                        continue;
                    }
                    self.part(event, offset, total, at + body.start..at + body.end, outbox);
                }
            }
        }
    }

    /// This life speaks. Of clients there is one at a time: what one before it has begun is never
    /// finished, and takes no room.
    fn meet(&mut self, life: u64) {
        if self.speaker != life && !self.hears_a_server {
            self.assembly.abandon_others(life);
        }
        self.speaker = life;
    }

    fn whole(&mut self, mut event: Event, body: Range<usize>, outbox: &mut Outbox) {
        self.meet(event.from);
        if let Some(why) = self.objection(event.verb, body.len()) {
            return self.refuse(why, event, outbox);
        }
        event.body.extend_from_slice(self.buffer.consumed(body));
        self.deliver(event, outbox);
    }

    fn part(
        &mut self,
        mut event: Event,
        offset: usize,
        total: usize,
        body: Range<usize>,
        outbox: &mut Outbox,
    ) {
        let key = event.key();
        self.meet(event.from);
        if offset == 0 {
            self.passing = None;
            if let Some(why) = self.objection(event.verb, total) {
                // Its first part is answered; the others only pass.
                self.passing = Some(key);
                self.assembly.abandon(key);
                return self.refuse(why, event, outbox);
            }
        }
        if self.passing == Some(key) {
            return;
        }
        let bytes = self.buffer.consumed(body);
        let part = Part { key, offset: Some(offset), total: Some(total), bytes, last: false };
        let (added, dropped) = self.assembly.add(part);
        self.stats.torn += dropped as u64;
        match added {
            Added::Open => {}
            Added::Torn | Added::TooLarge => self.stats.torn += 1,
            Added::Complete => {
                event.body = std::mem::take(self.assembly.done());
                self.deliver(event, outbox);
            }
        }
    }

    /// What speaks against an event with so many bytes, if anything does.
    fn objection(&mut self, verb: Verb, bytes: usize) -> Option<FailureCode> {
        if bytes > self.limit_of(verb) {
            return Some(FailureCode::TooLarge);
        }
        if verb != Verb::Request || self.limits.parks || self.has_room_for(bytes) {
            return None;
        }
        // A short message may stand in the memory of a long one before it.
        self.events.iter_mut().for_each(|event| event.body.shrink_to_fit());
        self.count_events();
        (!self.has_room_for(bytes)).then_some(FailureCode::Overloaded)
    }

    /// Whether one more request can wait here; one that is alone always can.
    fn has_room_for(&self, bytes: usize) -> bool {
        let taken = self.events_bytes + self.assembly.announced();
        self.events.is_empty()
            || (self.events.len() < self.limits.requests
                && taken + bytes <= self.limits.bytes.max(Buffer::CAPACITY))
    }

    /// What is for another life is not taken. Whoever asked that one is told, so that it asks again
    /// or gives up, instead of waiting for one that is no more.
    fn decline(&mut self, event: Event, outbox: &mut Outbox) {
        match event.verb {
            Verb::Request if event.from != self.shunned => {
                self.refuse(FailureCode::Stale, event, outbox);
            }
            _ => outbox.recycle(event.body),
        }
    }

    /// A request or a reply that there is no room for fails its own call and nothing else.
    fn refuse(&mut self, why: FailureCode, event: Event, outbox: &mut Outbox) {
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
            Verb::Request => {
                let (to, id) = (failure.from, failure.id);
                outbox.push_answer(Event::to(to, Verb::Failure, id, failure.body));
            }
            // To our own caller, in place of the reply.
            Verb::Reply | Verb::Failure => self.deliver(failure, outbox),
            _ => {}
        }
    }

    fn deliver(&mut self, event: Event, outbox: &mut Outbox) {
        if event.to != 0 {
            // Only who knows our life can speak of its own as the current one.
            let known = std::mem::replace(&mut self.lives.peer, event.from);
            if known != 0 && known != event.from {
                self.relieved = Some(known);
            }
            self.doubted = false;
        }
        self.stats.events += 1;
        match event.verb {
            Verb::Ping => self.asks.push(Ask::Ping(event)),
            Verb::Goodbye => {
                self.farewell = event.from;
                self.stats.farewells += 1;
                outbox.recycle(event.body);
            }
            Verb::Cancelled => {
                // The rest of what there is of a reply was taken back.
                self.assembly.abandon(event.key());
                self.queue(event);
            }
            Verb::Cancel => {
                let (key, waited) = (event.key(), self.forget(event.key()));
                self.asks.push(Ask::Cancel { key, waited });
                outbox.recycle(event.body);
            }
            _ => self.queue(event),
        }
    }

    fn queue(&mut self, event: Event) {
        self.events_bytes += cost(&event);
        self.events.push_back(event);
    }

    /// Drops a request that nobody has taken yet, and what was put together of one; answers
    /// whether there was anything of it.
    fn forget(&mut self, key: Key) -> bool {
        let begun = self.assembly.abandon(key);
        let before = self.events.len();
        self.events.retain(|event| event.verb != Verb::Request || event.key() != key);
        let waited = self.events.len() < before;
        if waited {
            self.in_time = self.in_time.min(self.events.len());
            self.count_events();
        }
        waited || begun
    }

    /// Whether what has come must be taken, or what was answered be read, before more is heard:
    /// the peer then waits in the pipe, and its memory is not ours.
    pub(crate) fn is_full(&self, outbox: &Outbox) -> bool {
        if outbox.is_bothered(self.asks.len()) {
            return true;
        }
        let crowded = self.need() > self.limits.bytes || self.events.len() >= self.limits.requests;
        self.limits.parks && !self.events.is_empty() && crowded
    }

    /// Bytes of memory that are taken, or may be by the next frame: it may make a message in the
    /// making grow by as much as it holds.
    fn need(&self) -> usize {
        let next = self.assembly.largest().max(MAX_FRAME);
        self.events_bytes + self.assembly.held() + next
    }

    /// Memory that is only kept for later gives way to events that wait now.
    fn shed(&mut self) {
        if !self.events.is_empty() && self.need() + self.assembly.kept() > self.limits.bytes {
            self.assembly.shed();
        }
    }

    /// The most bytes the body of an event may have.
    fn limit_of(&self, verb: Verb) -> usize {
        match verb {
            // The remaining time precedes the message.
            Verb::Request => self.limits.bytes.saturating_add(Remaining::LEN),
            Verb::Reply => self.limits.bytes,
            // Its words have a limit of their own; who accepts little still wants to know why.
            Verb::Failure => self.limits.bytes.max(Failure::MAX_LEN),
            Verb::Pong => MAX_PONG_BODY,
            _ => MAX_CONTROL_BODY,
        }
    }

    /// Nobody may ask a client for anything, or answer a server.
    fn is_heard(&mut self, verb: Verb) -> bool {
        let heard = match self.hears_a_server {
            true => verb.is_of_a_server(),
            false => verb.is_of_a_client(),
        };
        self.stats.unknown += u64::from(!heard);
        heard
    }

    /// What is addressed to another life is late or stale, and nobody here waits for it.
    fn is_for_us(&mut self, from: u64, to: u64) -> bool {
        let ours = (to == 0 || to == self.lives.ours) && from != self.shunned;
        self.stats.late += u64::from(!ours);
        ours
    }
}

/// Whether nobody waits for the answer to this request any more. One that cannot say so is looked at
/// by whoever takes it.
fn is_expired(request: &Event, now_ns: u64) -> bool {
    let left = Remaining::split(&request.body).and_then(|(remaining, _)| remaining.left_at(now_ns));
    left.is_some_and(|left| left.is_zero())
}

/// What an event counts for against the limit: the memory of its body, and of its place in the
/// queue, which grows by doubling.
fn cost(event: &Event) -> usize {
    event.body.capacity() + 2 * size_of::<Event>()
}
