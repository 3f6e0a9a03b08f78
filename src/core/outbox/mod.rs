//! What a session still has to write: two lanes, and the unit that is being written.
//!
//! An event that is given up is taken out again as exactly as its bytes allow: removed where
//! nothing of it was written, voided where a frame of it was cut. The stream stays in step either
//! way, so one caller's timeout harms no other.

mod framing;
#[cfg(test)]
mod inspect;
mod taking;

use std::collections::VecDeque;
use std::io;

use super::event::{Event, Lives};
use super::traffic::Traffic;
use super::wire;
use crate::error::Fate;
use crate::pipe::{Sink, Write};

/// Events on their way out, in order within each lane.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    control: VecDeque<Entry>,
    data: VecDeque<Entry>,
    /// Frames in one piece, and how much of it was accepted.
    unit: Vec<u8>,
    written: usize,
    /// The frames in the unit that are not wholly accepted, in order.
    framed: VecDeque<Framed>,
    next_ticket: Ticket,
    /// The last event that was framed while no life of the peer was known to say it to.
    said_to_anybody: Ticket,
    /// Bytes of the bodies here.
    queued_bytes: usize,
    /// Events here by what caused them, where no caller of this side did.
    answers: usize,
    refusals: usize,
    /// Tickets that were wholly accepted since somebody asked.
    finished: Vec<Ticket>,
    /// Bodies whose memory can be used again.
    spare: Vec<Vec<u8>>,
    sent: Traffic,
}

/// Names an event on its way out.
pub(crate) type Ticket = u64;

#[derive(Debug)]
struct Entry {
    ticket: Ticket,
    event: Event,
    /// The next byte of the body to be framed.
    from: usize,
    /// Whether a byte of it was accepted.
    begun: bool,
    cause: Cause,
}

impl Entry {
    /// Whether it goes ahead of requests and replies.
    fn is_control(&self) -> bool {
        self.event.verb.is_control() || self.cause == Cause::Control
    }
}

/// Why an event is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Somebody on this side waits for it.
    Caller,
    /// The peer sent control, or a request that was refused when it came.
    Control,
    /// A request of the peer's was dropped by whoever had it.
    Refusal,
    /// This side has something to tell, and does not wait to see it written.
    Aside,
}

/// A frame in the unit, and where it stands there.
#[derive(Debug)]
struct Framed {
    ticket: Ticket,
    start: usize,
    end: usize,
    /// Where this is its last frame, the entry; until then it is the first of its lane.
    entry: Option<Entry>,
}

/// How far writing got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrote {
    /// Everything is written.
    All,
    /// There is no room now; whether any byte was accepted in this step.
    Full {
        moved: bool,
    },
    /// There is more to write and the step has used its share.
    Busy,
    NoReader,
}

/// What became of an event that was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakenBack {
    /// The peer will never have the whole of it; `begun` where it has some.
    NotSent { begun: bool },
    /// The FIFO has accepted all of it.
    Written,
}

impl TakenBack {
    /// What the caller is told of an event that was taken back.
    pub(crate) fn fate(self) -> Fate {
        match self {
            Self::NotSent { .. } => Fate::NotSent,
            Self::Written => Fate::MaybeDelivered,
        }
    }
}

/// Answers to control, and refusals, that wait to be written: a few KiB.
const MAX_UNASKED: usize = 16;

/// Bytes that wait to be written, beyond which no answer is queued that nobody here waits for: what
/// a pipe holds.
const MAX_UNASKED_BYTES: usize = 65_536;

/// Writes between two looks at the clock: at most 1 MiB.
const WRITES_A_STEP: usize = 128;

/// Spare bodies that are kept, and the largest worth keeping: 8 KiB in all.
const SPARES: usize = 8;
const SPARE_BYTES: usize = 1024;

/// Whether a body takes so little memory that it is worth keeping.
pub(crate) fn is_short(body: &Vec<u8>) -> bool {
    body.capacity() <= SPARE_BYTES
}

impl Outbox {
    /// An empty body to fill, with the memory of one that was written.
    pub(crate) fn spare(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes back the memory of a body.
    pub(crate) fn recycle(&mut self, mut body: Vec<u8>) {
        if self.spare.len() < SPARES && body.capacity() > 0 && is_short(&body) {
            body.clear();
            self.spare.push(body);
        }
    }

    /// Queues an event behind the others of its lane.
    pub(crate) fn push(&mut self, event: Event) -> Ticket {
        self.queue(event, Cause::Caller)
    }

    /// Queues an event under a ticket that was drawn before.
    pub(crate) fn push_under(&mut self, ticket: Ticket, event: Event) {
        self.queue_under(ticket, event, Cause::Caller);
    }

    /// Queues control that nobody waits to see written: a cancel, of which there are never more
    /// than calls were written and given up since the peer read last; a goodbye; room for items.
    pub(crate) fn push_aside(&mut self, event: Event) {
        self.queue(event, Cause::Aside);
    }

    /// Queues room for items. Where room for the same call waits to be written, it is one: a peer
    /// that does not read is offered no more and more of it.
    pub(crate) fn push_credit(&mut self, credit: Event) {
        let is_same = |entry: &&mut Entry| {
            let Event { verb, to, id, .. } = &entry.event;
            (*verb, *to, *id) == (credit.verb, credit.to, credit.id)
        };
        match self.control.iter_mut().find(is_same) {
            Some(entry) => wire::add_credit(&mut entry.event.body, &credit.body),
            None => self.push_aside(credit),
        }
    }

    /// Queues an answer to control.
    pub(crate) fn push_answer(&mut self, event: Event) {
        self.answers += 1;
        self.queue(event, Cause::Control);
    }

    /// Queues the news that a call failed, which nobody here waits for; answers whether there was
    /// a place for it. A client that lets such news pile up does without more of them.
    pub(crate) fn push_refusal(&mut self, event: Event) -> bool {
        let place = self.refusals < MAX_UNASKED;
        if place {
            self.refusals += 1;
            self.queue(event, Cause::Refusal);
        }
        place
    }

    /// Whether the peer has asked for as many answers to control as are kept for it, those that are
    /// still to come included. One that asks without ever reading them costs this much and no more.
    pub(crate) fn is_bothered(&self, to_come: usize) -> bool {
        self.answers + to_come >= MAX_UNASKED
    }

    /// A ticket that no event has, for whoever waits for something else.
    pub(crate) fn draw_ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// The ticket that was drawn last.
    pub(crate) fn last_ticket(&self) -> Ticket {
        self.next_ticket
    }

    /// Whether there is a place for an answer of this length that nobody here waits for: a few of
    /// them, and a few bytes, or one alone.
    pub(crate) fn has_place_for(&self, bytes: usize) -> bool {
        let short = self.queued_bytes.saturating_add(bytes) <= MAX_UNASKED_BYTES;
        self.refusals < MAX_UNASKED && (short || self.queued_bytes == 0)
    }

    fn queue(&mut self, event: Event, cause: Cause) -> Ticket {
        let ticket = self.draw_ticket();
        self.queue_under(ticket, event, cause);
        ticket
    }

    fn queue_under(&mut self, ticket: Ticket, event: Event, cause: Cause) {
        self.queued_bytes += event.body.len();
        let entry = Entry { ticket, event, from: 0, begun: false, cause };
        self.lane_of(&entry).push_back(entry);
    }

    fn lane_of(&mut self, entry: &Entry) -> &mut VecDeque<Entry> {
        if entry.is_control() { &mut self.control } else { &mut self.data }
    }

    /// The last event that whoever reads may take for its own; zero for none.
    pub(crate) fn said_to_anybody(&self) -> Ticket {
        self.said_to_anybody
    }

    /// Bytes of the bodies that are not wholly written.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// What was wholly written.
    pub(crate) fn sent(&self) -> Traffic {
        self.sent
    }

    /// Events that are not wholly written.
    pub(crate) fn queued(&self) -> usize {
        self.entries().count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.unit.is_empty() && self.control.is_empty() && self.data.is_empty()
    }

    /// Whether anything of this event is still to be written.
    pub(crate) fn holds(&self, ticket: Ticket) -> bool {
        // Nearly always there is nothing here at all.
        !self.is_empty()
            && (self.framed_position(ticket).is_some() || self.lane_position(ticket).is_some())
    }

    /// The memory taken for what is to be written, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        let lanes = [&self.control, &self.data];
        let entries: usize = lanes.iter().map(|lane| lane.capacity() * size_of::<Entry>()).sum();
        let frames = self.framed.capacity() * size_of::<Framed>();
        let bodies = self.entries().map(|entry| entry.event.body.capacity());
        let spare = self.spare.iter().map(Vec::capacity);
        self.unit.capacity() + entries + frames + bodies.chain(spare).sum::<usize>()
    }

    /// Fails where the counters are wrong.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let bytes: usize = self.entries().map(|entry| entry.event.body.len()).sum();
        assert_eq!(self.queued_bytes, bytes, "bytes of bodies that are counted");
        let caused_by = |cause| self.entries().filter(|entry| entry.cause == cause).count();
        assert_eq!(self.answers, caused_by(Cause::Control), "answers that are counted");
        assert_eq!(self.refusals, caused_by(Cause::Refusal), "refusals that are counted");
    }

    /// Answers and refusals that are counted as waiting to be written.
    #[cfg(test)]
    pub(crate) fn unasked(&self) -> usize {
        self.answers + self.refusals
    }

    /// Moves the tickets that were wholly accepted since this was asked last.
    pub(crate) fn drain_written(&mut self, to: &mut Vec<Ticket>) {
        if !self.finished.is_empty() {
            to.append(&mut self.finished);
        }
    }

    /// Nobody asks which were wholly accepted so far.
    pub(crate) fn forget_written(&mut self) {
        self.finished.clear();
    }

    /// Takes the tickets that were wholly accepted since this was asked last.
    pub(crate) fn written(&mut self) -> impl Iterator<Item = Ticket> {
        self.finished.drain(..)
    }

    /// Adds all tickets that are not wholly written.
    pub(crate) fn tickets(&self, to: &mut Vec<Ticket>) {
        to.extend(self.entries().map(|entry| entry.ticket));
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        let framed = self.framed.iter().filter_map(|frame| frame.entry.as_ref());
        framed.chain(&self.control).chain(&self.data)
    }

    /// Writes as much as there is room for, in the name of these lives.
    pub(crate) fn step(&mut self, sink: &mut impl Sink, lives: Lives) -> io::Result<Wrote> {
        let mut moved = false;
        for _ in 0..WRITES_A_STEP {
            if self.is_empty() {
                return Ok(Wrote::All);
            }
            if self.unit.is_empty() {
                self.frame_next(lives);
            }
            match sink.try_write(&self.unit[self.written..])? {
                Write::Bytes(count) => {
                    moved = true;
                    self.accepted(count);
                }
                Write::Full => return Ok(Wrote::Full { moved }),
                Write::NoReader => return Ok(Wrote::NoReader),
            }
        }
        Ok(Wrote::Busy)
    }

    fn left(&mut self, entry: &Entry) {
        self.queued_bytes -= entry.event.body.len();
        match entry.cause {
            Cause::Caller | Cause::Aside => {}
            Cause::Control => self.answers -= 1,
            Cause::Refusal => self.refusals -= 1,
        }
    }

    /// Which lane an event waits in, and where.
    fn lane_position(&self, ticket: Ticket) -> Option<(bool, usize)> {
        let find = |lane: &VecDeque<Entry>| lane.iter().position(|entry| entry.ticket == ticket);
        find(&self.control).map(|at| (true, at)).or_else(|| find(&self.data).map(|at| (false, at)))
    }

    fn framed_position(&self, ticket: Ticket) -> Option<usize> {
        let is_here = |entry: &Entry| entry.ticket == ticket;
        self.framed.iter().position(|frame| frame.entry.as_ref().is_some_and(is_here))
    }
}
