//! One endpoint's two FIFOs as one connection that carries events both ways at once.
//!
//! A step writes what there is room for *and* reads what is there, so that neither direction ever
//! waits for the other: two peers that write to each other at the same time cannot block.

use std::time::{Duration, Instant};

use super::event::Event;
use super::inbox::Inbox;
use super::open::Opening;
use super::outbox::{Outbox, Ticket, Wrote};
use super::recv::STANDING_CHECK;
use super::step::{Step, Wait};
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
    heard_at: Option<Instant>,
    stalled_since: Option<Instant>,
    stall_reported: bool,
    /// Whether anybody has had the incoming FIFO open for writing.
    had_writer: bool,
    latched: bool,
    /// Whether whoever writes to us is one peer, which does so for all its life.
    one_peer: bool,
    outbox: Outbox,
    inbox: Inbox,
    epoch: u64,
    /// What this side counts; the inbox has its own share.
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
    /// When it left, it had seen nothing of these; they are for whoever comes next.
    pub(crate) unsent: Vec<Ticket>,
    /// The last writer of the incoming FIFO has left.
    pub(crate) hung_up: bool,
}

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
            heard_at: None,
            stalled_since: None,
            stall_reported: false,
            had_writer: false,
            latched: false,
            one_peer: false,
            outbox: Outbox::default(),
            inbox: Inbox::new(limit, epoch),
            epoch,
            stats: LinkStats::default(),
        }
    }

    /// Takes the departure of the last writer for the end of the peer's life. A server holds its
    /// end of the replies for as long as it lives; a client may be a script that writes a request,
    /// closes, and then waits for the reply.
    pub(crate) fn expect_one_peer(&mut self) {
        self.one_peer = true;
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

    /// When the incoming FIFO was last looked at.
    pub(crate) fn heard_at(&self) -> Option<Instant> {
        self.heard_at
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
        self.inbox.has_events()
    }

    /// Whether nothing more is heard before events are taken or answers are written.
    pub(crate) fn is_full(&self) -> bool {
        self.inbox.is_full(&self.outbox)
    }

    /// The next event that has come.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.inbox.next_event()
    }

    /// Takes back the memory of an event's body.
    pub(crate) fn recycle(&mut self, body: Vec<u8>) {
        if let Some(small) = self.inbox.recycle(body) {
            self.outbox.recycle(small);
        }
    }

    /// The memory taken for what has come and for what is to be written, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> (usize, usize) {
        (self.inbox.held(), self.outbox.held())
    }

    /// Whether a message is being put together.
    #[cfg(test)]
    pub(crate) fn is_assembling(&self) -> bool {
        self.inbox.is_assembling()
    }

    /// What has been seen so far.
    pub(crate) fn stats(&self) -> LinkStats {
        self.inbox.stats.plus(self.stats)
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
            unsent: Vec::new(),
            hung_up: false,
        };
        self.check_standing(now, &mut moved)?;
        // What is read first may be answered in the same step, and says whether the life that
        // requests are addressed to still is.
        if directions.read {
            self.read(now, &mut moved)?;
        }
        let was_full = self.is_full();
        if directions.write {
            self.write(now, &mut moved)?;
        }
        if was_full && !self.is_full() {
            moved.wait.until = Deadline::at(now);
        }
        Ok(moved)
    }

    fn write(&mut self, now: Instant, moved: &mut Moved) -> Result<()> {
        if self.outbox.is_empty() {
            self.stalled_since = None;
            return Ok(());
        }
        if self.writer.is_none() && !self.open_writer(now, moved)? {
            return Ok(());
        }
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let wrote = self.outbox.step(writer, self.inbox.peer());
        match wrote.map_err(|error| Error::system(error, Phase::Write))? {
            Wrote::All => {
                self.stalled_since = None;
            }
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
        self.inbox.forget_peer();
        self.stalled_since = None;
        self.stats.peers_lost += 1;
        let cut = self.outbox.rewind();
        self.tell_departure(cut, moved);
    }

    fn read(&mut self, now: Instant, moved: &mut Moved) -> Result<()> {
        self.heard_at = Some(now);
        for _ in 0..READS_A_STEP {
            self.inbox.hear(&mut self.outbox);
            // Events that nobody has taken yet hold the memory; the peer waits in the pipe.
            if self.is_full() {
                // Who takes events steps again; this is for one that dropped what it took.
                self.wait_for_check(moved);
                return Ok(());
            }
            let deadline = Deadline::NEVER;
            if let Step::Wait(wait) = self.step_open(now, deadline)? {
                moved.wait.until = moved.wait.until.earlier(wait.until);
                return Ok(());
            }
            let Some(reader) = &mut self.reader else { return Ok(()) };
            let read = self.inbox.fill(reader);
            match read.map_err(|error| Error::system(error, Phase::Read))? {
                Some(Read::Bytes(_)) | None => {
                    self.had_writer = true;
                    self.latched = false;
                    self.inbox.hear(&mut self.outbox);
                    // Somebody has waited for this; what is left ends the next wait at once.
                    if self.inbox.has_events() {
                        self.wait_readable(moved);
                        return Ok(());
                    }
                }
                Some(Read::Empty) => {
                    self.had_writer = true;
                    self.latched = false;
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
                    self.end_peers_life(moved);
                    self.renew(moved)?;
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
        self.wait_for_check(moved);
    }

    fn wait_for_check(&self, moved: &mut Moved) {
        let check = self.next_check.map_or(Deadline::NEVER, Deadline::at);
        moved.wait.until = moved.wait.until.earlier(check);
    }

    /// Nobody writes to us. If nobody reads from us either, the peer is gone.
    fn notice_departure(&mut self, moved: &mut Moved) {
        if self.writer.as_ref().is_some_and(|writer| !writer.has_reader()) {
            self.lose_writer(moved);
        }
    }

    /// The peer has left, and another life of it may have come so soon that our pipe was never
    /// without a reader: this is the only sign of it.
    fn end_peers_life(&mut self, moved: &mut Moved) {
        if !self.one_peer || self.inbox.peer() == 0 {
            return;
        }
        self.inbox.forget_peer();
        self.stats.peers_lost += 1;
        let cut = self.outbox.rewind();
        self.tell_departure(cut, moved);
    }

    fn tell_departure(&self, cut: Vec<Ticket>, moved: &mut Moved) {
        moved.lost.get_or_insert_default().extend(cut);
        moved.unsent.clear();
        self.outbox.tickets(&mut moved.unsent);
    }

    fn renew(&mut self, moved: &mut Moved) -> Result<()> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        match reader.renew()? {
            Standing::Same => self.latched = false,
            Standing::Missing => self.latched = true,
            Standing::Replaced => self.leave_reader(moved),
        }
        Ok(())
    }

    fn leave_reader(&mut self, moved: &mut Moved) {
        self.reader = None;
        self.stats.replaced += 1;
        self.inbox.discard();
        // Nothing will tell from here on whether whoever wrote to it still lives.
        self.end_peers_life(moved);
    }

    /// Looks now and then whether both paths still lead here.
    fn check_standing(&mut self, now: Instant, moved: &mut Moved) -> Result<()> {
        if self.next_check.is_some_and(|at| now < at) {
            return Ok(());
        }
        self.next_check = Some(now + STANDING_CHECK);
        let failed = |error| Error::system(error, Phase::Open);
        if let Some(reader) = &self.reader {
            self.incoming.settle();
            if reader.standing().map_err(failed)? == Standing::Replaced {
                self.leave_reader(moved);
            }
        }
        if let Some(writer) = &self.writer {
            self.outgoing.settle();
            if writer.standing().map_err(failed)? == Standing::Replaced {
                self.stats.replaced += 1;
                self.lose_writer(moved);
            }
        }
        Ok(())
    }
}
