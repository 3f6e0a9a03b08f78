//! What a session has heard: unread bytes turned into events, within one limit.

#[cfg(test)]
mod inspect;
mod lives;
mod room;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use super::assembly::{Added, Assembly, Key, Part};
use super::buffer::Buffer;
use super::dialect::{Dialect, Heard};
use super::event::{Event, Lives, Verb};
#[cfg(test)]
use super::model::{Cause, Causes};
use super::outbox::Outbox;
use super::streams::MAX_PART;
use super::traffic::Traffic;
use super::wire::{Head, Remaining, SkipReason};
use crate::pipe::{Read, Source};
use crate::stats::LinkStats;
#[cfg(test)]
pub(crate) use inspect::{Came, How};

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
    /// Whether somebody waits for what may come behind requests that wait: then the peer does not
    /// wait in the pipe.
    hears_through: bool,
    /// What clients say of streams that the engine has not looked at.
    flows: Vec<Flow>,
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
    /// Whether something that came since the last peer left was not whole.
    damaged: bool,
    received: Traffic,
    pub(crate) stats: LinkStats,
    /// What has come since somebody asked.
    #[cfg(test)]
    came: Vec<Came>,
    /// What else has happened since.
    #[cfg(test)]
    causes: Causes,
    /// Calls of which parts of items have come: their requests are not what comes.
    #[cfg(test)]
    streamed: std::collections::BTreeSet<Key>,
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
    /// The most bytes of any event.
    fn most(&self) -> usize {
        self.bytes.max(MAX_PART).saturating_add(Head::MAX_LEN)
    }

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

/// What a client says of the streams of a call, whether its request was taken or not.
#[derive(Debug)]
pub(crate) enum Flow {
    /// An item, the end of them, or room for more of ours.
    Said(Event),
    /// What came of an item was not whole, or larger than any that is taken.
    Lost(Key),
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
            assembly: Assembly::new(limits.most()),
            events: VecDeque::new(),
            events_bytes: 0,
            asks: Vec::new(),
            hears_through: false,
            flows: Vec::new(),
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
            damaged: false,
            received: Traffic::default(),
            stats: LinkStats::default(),
            #[cfg(test)]
            came: Vec::new(),
            #[cfg(test)]
            causes: Causes::default(),
            #[cfg(test)]
            streamed: Default::default(),
        }
    }

    /// Whether somebody waits for what may come behind requests that wait.
    pub(crate) fn hear_through(&mut self, through: bool) {
        self.hears_through = through;
    }

    /// Whether a client has said anything of streams.
    pub(crate) fn has_flows(&self) -> bool {
        !self.flows.is_empty()
    }

    /// Whether the peer asks anything that was not answered.
    pub(crate) fn has_asks(&self) -> bool {
        !self.asks.is_empty()
    }

    /// Takes what the peer asks and was not answered.
    pub(crate) fn asks(&mut self) -> Vec<Ask> {
        std::mem::take(&mut self.asks)
    }

    /// Takes what clients have said of streams.
    pub(crate) fn flows(&mut self) -> Vec<Flow> {
        std::mem::take(&mut self.flows)
    }

    /// Drops requests of which no time was left when they came: the monotonic clock reads `now_ns`.
    /// Answers how many. Those that run out while they wait are found when they are taken.
    pub(crate) fn drop_expired(&mut self, now_ns: u64) -> u64 {
        let before = self.events.len();
        if self.events.range(self.in_time..).any(|event| is_late(event, now_ns)) {
            self.drop_late(now_ns);
        }
        self.in_time = self.events.len();
        (before - self.in_time) as u64
    }

    #[cold] // Most requests are in time.
    fn drop_late(&mut self, now_ns: u64) {
        let fresh = self.events.split_off(self.in_time);
        self.events.extend(fresh.into_iter().filter(|event| !is_late(event, now_ns)));
        self.count_events();
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

    /// Messages that were taken in.
    pub(crate) fn received(&self) -> Traffic {
        self.received
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

    /// An event that was taken last, and found in time, is the next again.
    pub(crate) fn put_back(&mut self, event: Event) {
        self.events_bytes += cost(&event);
        self.in_time += 1;
        self.events.push_front(event);
    }

    /// Takes back the memory of a long message; gives back that of a short one, and of one that is
    /// longer than any that comes.
    pub(crate) fn recycle(&mut self, body: Vec<u8>) -> Option<Vec<u8>> {
        let most = self.limits.most();
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
        self.assembly = Assembly::new(self.limits.most());
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
                #[cfg(test)]
                self.note_cause(Cause::Relieved);
                return;
            }
            match heard {
                Heard::More => return,
                Heard::Skip { used, reason } => {
                    self.buffer.consume(used);
                    self.stats.skipped_bytes += used as u64;
                    self.damaged = true;
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
                        self.decline(event, at + body.start..at + body.end, outbox);
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
                            self.decline(event, at + body.start..at + body.end, outbox);
                        }
                        continue;
                    }
                    self.part(event, offset, total, at + body.start..at + body.end, outbox);
                }
            }
        }
    }

    fn whole(&mut self, mut event: Event, body: Range<usize>, outbox: &mut Outbox) {
        self.meet(event.from);
        if let Some(why) = self.objection(event.verb, body.len(), body.clone()) {
            return self.refuse(why, event, body, outbox);
        }
        event.body.extend_from_slice(self.buffer.consumed(body));
        self.deliver(event, outbox);
    }

    #[inline(never)]
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
            if let Some(why) = self.objection(event.verb, total, body.clone()) {
                // Its first part is answered; the others only pass.
                self.passing = Some(key);
                self.assembly.abandon(key);
                return self.refuse(why, event, body, outbox);
            }
        }
        if self.passing == Some(key) {
            #[cfg(test)]
            self.note_cause(Cause::Spoken);
            return;
        }
        #[cfg(test)]
        self.note(event.verb, key, event.to, How::Part);
        let bytes = self.buffer.consumed(body);
        let part = Part { key, offset: Some(offset), total: Some(total), bytes, last: false };
        let (added, dropped) = self.assembly.add(part);
        self.stats.torn += dropped as u64;
        match added {
            Added::Open => {}
            Added::Torn | Added::TooLarge => {
                self.stats.torn += 1;
                self.damaged = true;
                if event.verb == Verb::Item {
                    self.lose_item(event);
                }
            }
            Added::Complete => {
                event.body = std::mem::take(self.assembly.done());
                self.deliver(event, outbox);
            }
        }
    }

    fn deliver(&mut self, event: Event, outbox: &mut Outbox) {
        if event.to != 0 {
            // Only who knows our life can speak of its own as the current one.
            let known = std::mem::replace(&mut self.lives.peer, event.from);
            if known != 0 && known != event.from {
                self.relieved = Some(known);
                #[cfg(test)]
                self.note_cause(Cause::Relieved);
            }
            self.doubted = false;
        }
        #[cfg(test)]
        self.note(event.verb, event.key(), event.to, How::Whole);
        self.stats.events += 1;
        self.received.count(&event);
        match event.verb {
            Verb::Ping => self.asks.push(Ask::Ping(event)),
            Verb::Item | Verb::End | Verb::Credit if !self.hears_a_server => {
                self.flows.push(Flow::Said(event));
            }
            Verb::Goodbye => {
                self.farewell = event.from;
                self.stats.farewells += 1;
                outbox.recycle(event.body);
            }
            Verb::Reply | Verb::Failure | Verb::End if !self.assembly.is_idle() => {
                // An item before it may have been given up.
                self.assembly.abandon(event.key());
                self.queue(event);
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

    /// What came of an item is lost: its stream breaks off.
    fn lose_item(&mut self, event: Event) {
        match self.hears_a_server {
            true => self.queue(Event { body: Vec::new(), ..event }),
            false => self.flows.push(Flow::Lost(event.key())),
        }
    }

    fn queue(&mut self, event: Event) {
        self.events_bytes += cost(&event);
        self.events.push_back(event);
    }

    /// Drops a request that nobody has taken yet, and what was put together of one; answers
    /// whether there was anything of it.
    #[cold]
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
}

/// Whether this is a request, and nobody waits for the answer to it any more. One that cannot say
/// so is looked at by whoever takes it.
fn is_late(event: &Event, now_ns: u64) -> bool {
    let is_over = |remaining: Remaining| remaining.is_over_at(now_ns);
    event.verb == Verb::Request && Remaining::of(&event.body).is_some_and(is_over)
}

/// What an event counts for against the limit: the memory of its body, and of its place in the
/// queue, which grows by doubling.
fn cost(event: &Event) -> usize {
    event.body.capacity() + 2 * size_of::<Event>()
}
