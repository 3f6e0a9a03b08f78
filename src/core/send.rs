//! Sending one-way messages: frame, write, or say what to wait for.

use std::time::{Duration, Instant};

use super::step::{Step, Wait};
use super::units::Units;
use super::write_side::WriteSide;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::framing::{Framing, Room};
use crate::pipe::{Opener, Sink, Standing, Write};
use crate::stats::{SenderStats, Tally};

/// The sending machine: what is framed and not yet written lives here, not in any call.
#[derive(Debug)]
pub(crate) struct Outgoing<O: Opener, F> {
    side: WriteSide<O>,
    /// What the next write is given, and how much of it was accepted.
    units: Units<F>,
    written: usize,
    stall: Duration,
    /// Draws the random number of a new life.
    epoch: fn() -> u64,
    /// Bytes accepted since everything handed over was last written: of the message at hand, or of
    /// the batch it stands in.
    accepted: u64,
    /// Since when no byte has moved, while there was one to move.
    stalled_since: Option<Instant>,
}

/// Writes between two looks at the clock: at most 1 MiB, well under a millisecond.
const WRITES_A_STEP: usize = 128;

impl<O: Opener<End: Sink>, F: Framing> Outgoing<O, F> {
    pub(crate) fn new(
        opener: O,
        framing: F,
        room: Room,
        stall: Duration,
        epoch: fn() -> u64,
    ) -> Self {
        Self {
            side: WriteSide::new(opener),
            units: Units::new(framing, room, epoch()),
            written: 0,
            stall,
            epoch,
            accepted: 0,
            stalled_since: None,
        }
    }

    pub(crate) fn opener(&self) -> &O {
        self.side.opener()
    }

    pub(crate) fn end(&self) -> Option<&O::End> {
        self.side.end()
    }

    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn end_mut(&mut self) -> Option<&mut O::End> {
        self.side.end_mut()
    }

    /// How many bytes the pipe holds, where that is known.
    pub(crate) fn capacity(&self) -> Option<usize> {
        self.side.end().and_then(Sink::capacity)
    }

    pub(crate) fn stats(&self) -> SenderStats {
        let ends = self.side.stats();
        let (reopened, open_refusals) = (ends.reopened(), ends.refused);
        let queued_bytes = self.units.unit().len() - self.written;
        SenderStats { reopened, open_refusals, queued_bytes, ..self.units.stats }
    }

    /// What is told of this FIFO.
    pub(crate) fn tally(&self) -> Tally {
        Tally { torn: self.units.stats.poisoned, ends: self.side.stats(), ..Tally::default() }
    }

    /// Opens the end: done once a reader is there.
    pub(crate) fn step_open(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        if self.side.end().is_some() {
            return Ok(Step::Done(()));
        }
        let step = self.side.step_open(now, deadline)?;
        if let Some(capacity) = self.capacity() {
            self.units.fit(capacity);
        }
        Ok(step)
    }

    /// Frames as much of `message` as the unit takes, without a write; answers whether that is all
    /// of it. Where it is not, [`step_feed`](Self::step_feed) goes on.
    pub(crate) fn offer(&mut self, message: &[u8]) -> Result<bool> {
        self.units.offer(message)
    }

    /// Tries to write the unit in one go; answers whether it is all written. Where it is not,
    /// [`step_flush`](Self::step_flush) goes on, and finds out why.
    pub(crate) fn try_flush(&mut self) -> bool {
        let unit = self.units.finish();
        let unwritten = &unit[self.written..];
        let Some(end) = self.side.end_mut().filter(|_| !unwritten.is_empty()) else {
            return false;
        };
        let Ok(Write::Bytes(count)) = end.try_write(unwritten) else { return false };
        self.written += count;
        self.accepted += count as u64;
        self.stalled_since = None;
        let all = self.written == unit.len();
        if all {
            self.units.clear();
            self.written = 0;
            self.accepted = 0;
        }
        all
    }

    /// Frames `message`, writing full units on the way. The same message must be given until the
    /// answer is done or an error.
    pub(crate) fn step_feed(
        &mut self,
        message: &[u8],
        now: Instant,
        deadline: Deadline,
    ) -> Result<Step<()>> {
        while !self.offer(message)? {
            let rest = self.units.rest(message.len());
            if let Step::Wait(wait) = self.step_write(now, deadline, rest)? {
                return Ok(Step::Wait(wait));
            }
        }
        Ok(Step::Done(()))
    }

    /// Writes what is framed.
    pub(crate) fn step_flush(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        let step = self.step_write(now, deadline, 0)?;
        if let Step::Done(()) = step {
            self.accepted = 0;
        }
        Ok(step)
    }

    /// Writes the unit; `rest` bytes of the message at hand, as framed, are not in it yet.
    fn step_write(&mut self, now: Instant, deadline: Deadline, rest: usize) -> Result<Step<()>> {
        self.units.finish();
        match self.write_out(now, deadline) {
            Ok(Step::Done(())) => {
                self.units.clear();
                self.written = 0;
                Ok(Step::Done(()))
            }
            Ok(wait) => Ok(wait),
            Err(error) => Err(self.give_up(error, rest)),
        }
    }

    fn write_out(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        for _ in 0..WRITES_A_STEP {
            if self.written == self.units.unit().len() {
                return Ok(Step::Done(()));
            }
            if let Step::Wait(wait) = self.step_open(now, deadline)? {
                return Ok(Step::Wait(wait));
            }
            if self.is_replaced(now)? {
                continue;
            }
            let Some(end) = self.side.end_mut() else { continue };
            let write = end.try_write(&self.units.unit()[self.written..]);
            match write.map_err(|error| Error::system(error, Phase::Write))? {
                Write::Bytes(count) => {
                    self.written += count;
                    self.accepted += count as u64;
                    self.stalled_since = None;
                }
                Write::Full => return self.wait(now, deadline),
                Write::NoReader => self.lose_reader()?,
            }
        }
        if deadline.passed(now) {
            return Err(Error::new(ErrorKind::WriteStalled, Phase::Write));
        }
        Ok(Step::Wait(Wait::until(now)))
    }

    /// The reader has left. Where nothing of this message was accepted, the next reader may have
    /// all of it; otherwise nobody can say what the reader saw.
    fn lose_reader(&mut self) -> Result<()> {
        self.side.close();
        self.stalled_since = None;
        self.units.stats.reconnects += 1;
        if self.accepted > 0 {
            return Err(Error::new(ErrorKind::PeerClosed, Phase::Write));
        }
        Ok(())
    }

    /// Looks now and then whether the path still leads here. Between messages the answer costs
    /// nothing but opening again; within one it is an error.
    fn is_replaced(&mut self, now: Instant) -> Result<bool> {
        // A path that leads nowhere may be a FIFO that was unlinked on purpose, once both ends had
        // it: as long as its reader reads, it works.
        if !self.side.is_due(now) || self.side.check(now)? != Standing::Replaced {
            return Ok(false);
        }
        self.stalled_since = None;
        self.units.stats.reconnects += 1;
        if self.accepted > 0 {
            return Err(Error::new(ErrorKind::Replaced, Phase::Write));
        }
        Ok(true)
    }

    /// Only time has passed since the last step, and there is no room: what to wait for from here
    /// on, unless there is more to do than to look after the path.
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn look(&mut self, now: Instant, deadline: Deadline) -> Option<Wait> {
        let stalled_out = Deadline::after(self.stalled_since?, self.stall);
        let until = deadline.earlier(stalled_out);
        let quiet = !until.passed(now) && self.side.still_stands(now);
        quiet.then(|| Wait::writable(until.earlier(self.side.next_check())))
    }

    fn wait(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        let since = *self.stalled_since.get_or_insert(now);
        let stalled_out = Deadline::after(since, self.stall);
        let until = deadline.earlier(stalled_out);
        if until.passed(now) {
            return Err(Error::new(ErrorKind::WriteStalled, Phase::Write));
        }
        Ok(Step::Wait(Wait::writable(until.earlier(self.side.next_check()))))
    }

    /// Lets go of the end, between messages; the next write opens it again.
    pub(crate) fn close(&mut self) {
        self.side.close();
    }

    /// A call has failed, and says how far it got.
    fn give_up(&mut self, error: Error, rest: usize) -> Error {
        let left = (self.units.unit().len() - self.written + rest) as u64;
        let error = error.with_progress(self.accepted, self.accepted + left);
        let fate = if self.accepted > 0 { Fate::MaybeDelivered } else { Fate::NotSent };
        self.abandon();
        error.with_fate(fate)
    }

    /// Nothing of what was handed over and is not written yet ever will be; an end that was left
    /// inside a message is closed and opened again under another epoch.
    pub(crate) fn abandon(&mut self) {
        if self.accepted > 0 {
            self.side.close();
            self.units.begin((self.epoch)());
            self.units.stats.poisoned += 1;
        }
        self.units.abandon();
        self.written = 0;
        self.accepted = 0;
        self.stop_waiting();
    }

    /// Whoever waited has stopped: the next one has a time of its own.
    pub(crate) fn stop_waiting(&mut self) {
        self.stalled_since = None;
        self.side.stop_opening();
    }
}
