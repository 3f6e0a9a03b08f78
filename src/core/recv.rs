//! Receiving one-way messages: read, find the next message, or say what to wait for.

use std::time::Instant;

use super::messages::{Found, Message, Messages};
use super::read_side::ReadSide;
use super::step::{Step, Wait};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::framing::Framing;
use crate::pipe::{Opener, Read, Source, Standing};
use crate::stats::{ReceiverStats, Tally};

/// What a receiver does once the last writer has left and everything is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndOfWriters {
    /// Wait for the next writer: what a daemon wants. A FIFO outlives its writers.
    #[default]
    Wait,
    /// End: what a pipeline wants. Receiving answers [`ErrorKind::PeerClosed`] from then on.
    End,
}

/// Reads between two looks at the clock: at most 1 MiB, well under a millisecond.
const READS_A_STEP: usize = 16;

/// The receiving machine.
#[derive(Debug)]
pub(crate) struct Incoming<O: Opener, F> {
    side: ReadSide<O>,
    on_end: EndOfWriters,
    ended: bool,
    messages: Messages<F>,
}

impl<O: Opener<End: Source>, F: Framing> Incoming<O, F> {
    pub(crate) fn new(opener: O, framing: F, limit: usize, on_end: EndOfWriters) -> Self {
        let (side, messages) = (ReadSide::new(opener), Messages::new(framing, limit));
        Self { side, on_end, ended: false, messages }
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

    pub(crate) fn stats(&self) -> ReceiverStats {
        let ends = self.side.stats();
        let (reopened, open_refusals) = (ends.reopened(), ends.refused);
        ReceiverStats { reopened, open_refusals, ..self.messages.stats }
    }

    /// What is told of this FIFO.
    pub(crate) fn tally(&self) -> Tally {
        let ReceiverStats { skipped_bytes, torn, .. } = self.messages.stats;
        Tally { skipped_bytes, torn, ends: self.side.stats(), ..Tally::default() }
    }

    pub(crate) fn message(&mut self, found: Found) -> Message<'_> {
        self.messages.message(found)
    }

    /// The memory taken for what has come, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        self.messages.held()
    }

    /// Bytes that were read and are of no message yet.
    #[cfg(test)]
    pub(crate) fn unread(&mut self) -> usize {
        self.messages.buffer.unread().len()
    }

    /// Opens the end, so that a writer can come.
    pub(crate) fn step_open(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        self.side.step_open(now, deadline)
    }

    /// The next message, if it has been read already.
    pub(crate) fn buffered(&mut self) -> Result<Option<Found>> {
        self.messages.next()
    }

    /// Finds the next message.
    pub(crate) fn step(&mut self, now: Instant, deadline: Deadline) -> Result<Step<Found>> {
        for _ in 0..READS_A_STEP {
            if let Some(found) = self.messages.next()? {
                return Ok(Step::Done(found));
            }
            if self.ended {
                return Err(Error::new(ErrorKind::PeerClosed, Phase::Read));
            }
            if let Step::Wait(wait) = self.step_open(now, deadline)? {
                return Ok(Step::Wait(wait));
            }
            match self.fill()? {
                Read::Bytes(_) => {}
                Read::Empty | Read::NoWriterYet => return self.wait(now, deadline),
                Read::WritersGone if self.on_end == EndOfWriters::End => {
                    self.ended = true;
                    self.messages.end()?;
                }
                // What was begun is kept: the end of file is no boundary, and a writer may well
                // open, write and close for every piece of one message. Native frames tell a new
                // beginning from the rest of an old one; a line cannot.
                Read::WritersGone => match self.side.renew()? {
                    Standing::Replaced => self.leave_replaced(),
                    standing => {
                        self.messages.stats.renewals += u64::from(standing == Standing::Same);
                        return self.wait(now, deadline);
                    }
                },
            }
        }
        // A peer that writes without end and never completes a message must not outrun the
        // deadline: the front end comes back at once, with the time of then.
        if deadline.passed(now) {
            return Err(Error::new(ErrorKind::TimedOut, Phase::Read));
        }
        Ok(Step::Wait(Wait::until(now)))
    }

    /// Only time has passed since the last step, and there is nothing to read: what to wait for
    /// from here on, unless there is more to do than to look after the path.
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn look(&mut self, now: Instant, deadline: Deadline) -> Option<Wait> {
        let quiet = !deadline.passed(now) && self.side.still_stands(now);
        quiet.then(|| self.side.wait().no_later_than(deadline))
    }

    fn fill(&mut self) -> Result<Read> {
        let buffer = &mut self.messages.buffer;
        // A full window always holds a message, a part, or something to skip.
        self.side.read(|end| Ok(buffer.fill(end)?.unwrap_or(Read::Empty)))
    }

    /// Nothing to read now: wait, or fail if the deadline has come. A FIFO that was replaced is
    /// left as soon as it has nothing more to give.
    fn wait<T>(&mut self, now: Instant, deadline: Deadline) -> Result<Step<T>> {
        // At the deadline too, so that its error does not depend on when the last check was.
        let look = self.side.is_due(now) || deadline.passed(now);
        let standing = if look { self.side.check(now)? } else { Standing::Same };
        if standing == Standing::Replaced {
            self.leave_replaced();
            return Ok(Step::Wait(Wait::until(now)));
        }
        if deadline.passed(now) {
            return Err(self.nothing_came(standing));
        }
        Ok(Step::Wait(self.side.wait().no_later_than(deadline)))
    }

    fn leave_replaced(&mut self) {
        self.messages.stats.replaced += 1;
        self.messages.discard();
    }

    fn nothing_came(&self, standing: Standing) -> Error {
        let kind = match (standing, self.side.had_writer()) {
            (Standing::Missing, _) => ErrorKind::NotFound,
            (_, true) => ErrorKind::TimedOut,
            (_, false) => ErrorKind::NoWriter,
        };
        let error = Error::new(kind, Phase::Read);
        match (self.messages.astray(), self.side.is_deserted()) {
            (0, false) => error,
            (0, true) => error.detailed("the last writer has left"),
            (bytes, _) => error.detailed(format!("{bytes} bytes came that are no message")),
        }
    }
}
