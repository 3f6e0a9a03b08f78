//! One endpoint's two FIFOs as one connection that carries events both ways at once.
//!
//! A step writes what there is room for *and* reads what is there, so that neither direction ever
//! waits for the other: two peers that write to each other at the same time cannot block.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::assembly::{Added, Assembly, Key, Part};
use super::buffer::Buffer;
use super::dialect::{Dialect, Heard};
use super::event::{Event, Verb};
use super::open::Opening;
use super::outbox::{Outbox, Ticket, Wrote};
use super::recv::STANDING_CHECK;
use super::step::{Step, Wait};
use super::wire::SkipReason;
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::pipe::{Opener, Read, Sink, Source, Standing};
use crate::stats::LinkStats;

/// Both directions of a session.
#[derive(Debug)]
pub(crate) struct Link<R: Opener, W: Opener> {
    incoming: R,
    outgoing: W,
    reader: Option<R::End>,
    writer: Option<W::End>,
    reader_opening: Opening,
    writer_opening: Opening,
    next_check: Option<Instant>,
    stalled_since: Option<Instant>,
    stall_reported: bool,
    /// Whether anybody has had the incoming FIFO open for writing.
    had_writer: bool,
    latched: bool,
    outbox: Outbox,
    buffer: Buffer,
    dialect: Dialect,
    assembly: Assembly,
    inbox: VecDeque<Event>,
    inbox_bytes: usize,
    /// Requests refused for their size whose refusals may still wait to be written.
    refusals: usize,
    limit: usize,
    epoch: u64,
    /// The life of the peer that was heard last.
    peer: u64,
    pub(crate) stats: LinkStats,
}

/// Which directions a step moves bytes in: a front end whose threads share a link leaves a
/// direction to the one that sleeps on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Directions {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Directions {
    #[cfg(any(test, fuzzing))]
    pub(crate) const BOTH: Self = Self { read: true, write: true };
}

/// What a step found out, beside what to wait for.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) wait: Wait,
    /// The peer has left; these events were cut and will never arrive.
    pub(crate) lost: Option<Vec<Ticket>>,
    /// The last writer of the incoming FIFO has left.
    pub(crate) hung_up: bool,
}

/// Answers to control that wait to be written; beyond them nothing more is heard. A peer that
/// pings without ever reading the answers costs this much and no more.
const MAX_CONTROL: usize = 256;

/// Reads between two looks at the clock: at most 1 MiB.
const READS_A_STEP: usize = 16;

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Link<R, W> {
    pub(crate) fn new(incoming: R, outgoing: W, limit: usize, epoch: u64) -> Self {
        Self {
            incoming,
            outgoing,
            reader: None,
            writer: None,
            reader_opening: Opening::new(),
            writer_opening: Opening::new(),
            next_check: None,
            stalled_since: None,
            stall_reported: false,
            refusals: 0,
            had_writer: false,
            latched: false,
            outbox: Outbox::default(),
            buffer: Buffer::default(),
            dialect: Dialect::default(),
            assembly: Assembly::new(limit),
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            limit,
            epoch,
            peer: 0,
            stats: LinkStats::default(),
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn incoming(&self) -> &R {
        &self.incoming
    }

    pub(crate) fn outgoing(&self) -> &W {
        &self.outgoing
    }

    pub(crate) fn reader(&self) -> Option<&R::End> {
        self.reader.as_ref()
    }

    pub(crate) fn writer(&self) -> Option<&W::End> {
        self.writer.as_ref()
    }

    pub(crate) fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Why the writer is not open, where it is not.
    pub(crate) fn writer_refused(&self) -> Option<Error> {
        self.writer_opening.refusal().filter(|_| self.writer.is_none())
    }

    pub(crate) fn had_writer(&self) -> bool {
        self.had_writer
    }

    /// Whether no byte has moved out for this long although there was one to move.
    pub(crate) fn stalled_for(&self, limit: Duration, now: Instant) -> bool {
        self.stalled_since.is_some_and(|since| now.saturating_duration_since(since) >= limit)
    }

    /// When the stall will have lasted this long, if it has not yet.
    pub(crate) fn stall_ends(&self, limit: Duration, now: Instant) -> Deadline {
        match self.stalled_since.map(|since| Deadline::after(since, limit)) {
            Some(end) if !end.passed(now) => end,
            _ => Deadline::NEVER,
        }
    }

    /// Whether the stall has lasted this long for the first time that this is asked.
    pub(crate) fn stall_passes(&mut self, limit: Duration, now: Instant) -> bool {
        let passed = self.stalled_for(limit, now);
        let news = passed && !self.stall_reported;
        self.stall_reported = passed;
        news
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// The next event that has come.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        let event = self.inbox.pop_front()?;
        self.inbox_bytes -= cost(&event);
        Some(event)
    }

    /// Takes back the memory of an event's body.
    pub(crate) fn recycle(&mut self, body: Vec<u8>) {
        if body.capacity() > self.assembly.done().capacity() && body.capacity() > Buffer::CAPACITY {
            *self.assembly.done() = body;
        } else {
            self.outbox.recycle(body);
        }
    }

    /// Opens the incoming FIFO.
    pub(crate) fn step_open(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        if self.reader.is_some() {
            return Ok(Step::Done(()));
        }
        let step = self.reader_opening.step(&mut self.incoming, now, deadline)?;
        Ok(step.map(|end| {
            self.reader = Some(end);
            self.reader_opening = Opening::new();
            self.had_writer = false;
            self.latched = false;
            self.next_check = Some(now + STANDING_CHECK);
        }))
    }

    /// Moves bytes in these directions, without waiting.
    pub(crate) fn step(&mut self, now: Instant, directions: Directions) -> Result<Moved> {
        let mut moved = Moved {
            wait: Wait { readable: false, writable: false, until: Deadline::NEVER },
            lost: None,
            hung_up: false,
        };
        self.check_standing(now, &mut moved)?;
        if directions.write {
            self.write(now, &mut moved)?;
        }
        if directions.read {
            self.read(now, &mut moved)?;
        }
        Ok(moved)
    }

    fn write(&mut self, now: Instant, moved: &mut Moved) -> Result<()> {
        if self.outbox.is_empty() {
            self.stalled_since = None;
            self.refusals = 0;
            return Ok(());
        }
        if self.writer.is_none() && !self.open_writer(now, moved)? {
            return Ok(());
        }
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let wrote = self.outbox.step(writer, self.peer);
        match wrote.map_err(|error| Error::system(error, Phase::Write))? {
            Wrote::All => self.stalled_since = None,
            Wrote::Busy => {
                self.stalled_since = None;
                moved.wait.until = Deadline::at(now);
            }
            Wrote::Full { moved: progress } => {
                if progress {
                    self.stalled_since = None;
                }
                self.stalled_since.get_or_insert(now);
                moved.wait.writable = true;
            }
            Wrote::NoReader => {
                self.lose_writer(moved);
                // What is still to be written goes to the next reader, from the next step on.
                moved.wait.until = Deadline::at(now);
            }
        }
        Ok(())
    }

    fn open_writer(&mut self, now: Instant, moved: &mut Moved) -> Result<bool> {
        // Woken by the watch or by the timer, it is the same: an attempt costs microseconds.
        match self.writer_opening.step(&mut self.outgoing, now, Deadline::NEVER)? {
            Step::Done(end) => {
                self.writer = Some(end);
                self.writer_opening = Opening::new();
                Ok(true)
            }
            Step::Wait(wait) => {
                moved.wait.until = moved.wait.until.earlier(wait.until);
                Ok(false)
            }
        }
    }

    /// The peer that read from us has left.
    fn lose_writer(&mut self, moved: &mut Moved) {
        self.writer = None;
        self.peer = 0;
        self.stalled_since = None;
        self.stats.peers_lost += 1;
        moved.lost.get_or_insert_default().extend(self.outbox.rewind());
    }

    fn read(&mut self, now: Instant, moved: &mut Moved) -> Result<()> {
        for _ in 0..READS_A_STEP {
            self.hear();
            // Events that nobody has taken yet hold the memory; the peer waits in the pipe.
            if self.is_full() {
                return Ok(());
            }
            let deadline = Deadline::NEVER;
            if let Step::Wait(wait) = self.step_open(now, deadline)? {
                moved.wait.until = moved.wait.until.earlier(wait.until);
                return Ok(());
            }
            let Some(reader) = &mut self.reader else { return Ok(()) };
            let read = self.buffer.fill(reader);
            match read.map_err(|error| Error::system(error, Phase::Read))? {
                Some(Read::Bytes(_)) | None => self.had_writer = true,
                Some(Read::Empty) => {
                    self.had_writer = true;
                    self.wait_readable(moved);
                    return Ok(());
                }
                Some(Read::NoWriterYet) => {
                    self.notice_departure(moved);
                    self.wait_readable(moved);
                    return Ok(());
                }
                Some(Read::WritersGone) => {
                    self.had_writer = true;
                    moved.hung_up = true;
                    self.notice_departure(moved);
                    self.renew()?;
                    self.wait_readable(moved);
                    return Ok(());
                }
            }
        }
        moved.wait.until = Deadline::at(now);
        Ok(())
    }

    fn wait_readable(&self, moved: &mut Moved) {
        moved.wait.readable = !self.latched;
        let check = self.next_check.map_or(Deadline::NEVER, Deadline::at);
        moved.wait.until = moved.wait.until.earlier(check);
    }

    /// Nobody writes to us. If nobody reads from us either, the peer is gone.
    fn notice_departure(&mut self, moved: &mut Moved) {
        if self.writer.as_ref().is_some_and(|writer| !writer.has_reader()) {
            self.lose_writer(moved);
        }
    }

    fn renew(&mut self) -> Result<()> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        match reader.renew()? {
            Standing::Same => self.latched = false,
            Standing::Missing => self.latched = true,
            Standing::Replaced => self.leave_reader(),
        }
        Ok(())
    }

    fn leave_reader(&mut self) {
        self.reader = None;
        self.stats.replaced += 1;
        self.buffer.clear();
        self.dialect = Dialect::default();
        self.assembly = Assembly::new(self.limit);
    }

    /// Looks now and then whether both paths still lead here.
    fn check_standing(&mut self, now: Instant, moved: &mut Moved) -> Result<()> {
        if self.next_check.is_some_and(|at| now < at) {
            return Ok(());
        }
        self.next_check = Some(now + STANDING_CHECK);
        let failed = |error| Error::system(error, Phase::Open);
        if let Some(reader) = &self.reader {
            if reader.standing().map_err(failed)? == Standing::Replaced {
                self.leave_reader();
            }
        }
        if let Some(writer) = &self.writer {
            if writer.standing().map_err(failed)? == Standing::Replaced {
                self.stats.replaced += 1;
                self.lose_writer(moved);
            }
        }
        Ok(())
    }

    /// Turns unread bytes into events.
    fn hear(&mut self) {
        while !self.buffer.is_empty() && !self.is_full() {
            let at = self.buffer.position();
            match self.dialect.decode(self.buffer.unread()) {
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
                    if !self.is_for_us(to) {
                        continue;
                    }
                    let mut copy = self.outbox.spare();
                    copy.extend_from_slice(self.buffer.consumed(at + body.start..at + body.end));
                    self.deliver(Event { verb, from, to, id, body: copy });
                }
                Heard::Part { verb, to, key, offset, total, body, used } => {
                    self.buffer.consume(used);
                    if !self.is_for_us(to) {
                        continue;
                    }
                    let bytes = self.buffer.consumed(at + body.start..at + body.end);
                    let part =
                        Part { key, offset: Some(offset), total: Some(total), bytes, last: false };
                    let (added, dropped) = self.assembly.add(part);
                    self.stats.torn += dropped as u64;
                    self.added(added, Event { verb, from: key.0, to, id: key.1, body: Vec::new() });
                }
            }
        }
    }

    fn added(&mut self, added: Added, mut event: Event) {
        match added {
            Added::Open => {}
            Added::Torn => self.stats.torn += 1,
            Added::TooLarge => {
                self.stats.too_large += 1;
                self.refuse_large(event);
            }
            Added::Complete => {
                event.body = std::mem::take(self.assembly.done());
                self.deliver(event);
            }
        }
    }

    /// A request or a reply that exceeds the limit fails its own call and nothing else.
    fn refuse_large(&mut self, event: Event) {
        let code = super::wire::FailureCode::TooLarge;
        let words = format!("the limit is {} bytes", self.limit);
        let mut body = self.outbox.spare();
        super::wire::Failure::new(code, words).append_to(&mut body);
        let failure = Event { verb: Verb::Failure, body, ..event };
        match event.verb {
            // To the caller, as the server's answer.
            Verb::Request => {
                self.refusals += 1;
                self.answer(Verb::Failure, failure);
            }
            // To our own caller, in place of the reply.
            Verb::Reply | Verb::Failure => self.deliver(failure),
            _ => {}
        }
    }

    fn deliver(&mut self, event: Event) {
        if event.to != 0 {
            // Only who knows our life can speak of its own as the current one.
            self.peer = event.from;
        }
        self.stats.events += 1;
        match event.verb {
            Verb::Ping => self.answer(Verb::Pong, event),
            Verb::Cancel => {
                self.forget(event.key());
                self.answer(Verb::Cancelled, event);
            }
            _ => {
                self.inbox_bytes += cost(&event);
                self.inbox.push_back(event);
            }
        }
    }

    /// Answers control at once: it is behind no handler and no queue of requests.
    fn answer(&mut self, verb: Verb, event: Event) {
        let (from, to) = (self.epoch, event.from);
        self.outbox.push(Event { verb, from, to, ..event });
    }

    /// Drops a request that nobody has taken yet, and what was put together of one.
    fn forget(&mut self, key: Key) {
        self.assembly.abandon(key);
        let before = self.inbox.len();
        self.inbox.retain(|event| event.verb != Verb::Request || event.key() != key);
        if self.inbox.len() < before {
            self.inbox_bytes = self.inbox.iter().map(cost).sum();
        }
    }

    /// Whether what has come must be taken, or what was answered be read, before more is heard:
    /// the peer then waits in the pipe, and its memory is not ours.
    fn is_full(&self) -> bool {
        let unasked = self.outbox.control_len() + self.refusals;
        self.inbox_bytes >= self.limit || unasked >= MAX_CONTROL
    }

    /// What is addressed to another life is late or stale, and nobody here waits for it.
    fn is_for_us(&mut self, to: u64) -> bool {
        let ours = to == 0 || to == self.epoch;
        self.stats.late += u64::from(!ours);
        ours
    }
}

/// What an event counts for against the limit: its body and the place it takes in the queue.
fn cost(event: &Event) -> usize {
    event.body.len() + size_of::<Event>()
}
