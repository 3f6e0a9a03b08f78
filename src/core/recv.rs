//! Receiving one-way messages: read, find the next message, or say what to wait for.

use std::time::{Duration, Instant};

use super::messages::{Found, Message, Messages};
use super::open::Opening;
use super::step::{Step, Wait};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::framing::Framing;
use crate::pipe::{Opener, Read, Source, Standing};
use crate::stats::ReceiverStats;

/// What a receiver does once the last writer has left and everything is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndOfWriters {
    /// Wait for the next writer: what a daemon wants. A FIFO outlives its writers.
    #[default]
    Wait,
    /// End: what a pipeline wants. Receiving answers [`ErrorKind::PeerClosed`] from then on.
    End,
}

/// How long a waiting end may hold a FIFO that its path no longer names. A check is one `lstat`,
/// about a microsecond; a replaced FIFO is to be noticed within 100 ms.
pub(crate) const STANDING_CHECK: Duration = Duration::from_millis(50);

/// Reads between two looks at the clock: at most 1 MiB, well under a millisecond.
const READS_A_STEP: usize = 16;

/// The receiving machine.
#[derive(Debug)]
pub(crate) struct Incoming<O: Opener, F> {
    /// Before the opener, so that it is closed first: closing a watch may take the kernel a while.
    end: Option<O::End>,
    opener: O,
    opening: Opening,
    next_check: Option<Instant>,
    on_end: EndOfWriters,
    ended: bool,
    had_writer: bool,
    /// Whether the last writers' departure is latched on a descriptor that cannot be renewed,
    /// because the path is gone: waiting for it to become readable would spin.
    latched: bool,
    messages: Messages<F>,
}

impl<O: Opener<End: Source>, F: Framing> Incoming<O, F> {
    pub(crate) fn new(opener: O, framing: F, limit: usize, on_end: EndOfWriters) -> Self {
        Self {
            opener,
            end: None,
            opening: Opening::new(),
            next_check: None,
            on_end,
            ended: false,
            had_writer: false,
            latched: false,
            messages: Messages::new(framing, limit),
        }
    }

    pub(crate) fn opener(&self) -> &O {
        &self.opener
    }

    pub(crate) fn end(&self) -> Option<&O::End> {
        self.end.as_ref()
    }

    pub(crate) fn stats(&self) -> ReceiverStats {
        self.messages.stats
    }

    pub(crate) fn message(&mut self, found: Found) -> Message<'_> {
        self.messages.message(found)
    }

    /// The memory taken for what has come, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        let assembly = &self.messages.assembly;
        self.messages.buffer.held() + assembly.held() + assembly.kept()
    }

    /// Bytes that were read and are of no message yet.
    #[cfg(test)]
    pub(crate) fn unread(&mut self) -> usize {
        self.messages.buffer.unread().len()
    }

    /// Opens the end, so that a writer can come.
    pub(crate) fn step_open(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        if self.end.is_some() {
            return Ok(Step::Done(()));
        }
        let step = self.opening.step(&mut self.opener, now, deadline)?;
        Ok(step.map(|end| {
            self.end = Some(end);
            self.opening = Opening::new();
            self.had_writer = false;
            self.latched = false;
            self.next_check = Some(now + STANDING_CHECK);
        }))
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
                Read::Bytes(_) => {
                    self.had_writer = true;
                    self.latched = false;
                }
                Read::Empty => {
                    self.had_writer = true;
                    self.latched = false;
                    return self.wait(now, deadline);
                }
                Read::NoWriterYet => return self.wait(now, deadline),
                Read::WritersGone => {
                    self.had_writer = true;
                    if self.on_end == EndOfWriters::End {
                        self.end_stream()?;
                        continue;
                    }
                    // What was begun is kept: the end of file is no boundary, and a writer may
                    // well open, write and close for every piece of one message. Native frames
                    // tell a new beginning from the rest of an old one; a line cannot.
                    if self.renew()? == Standing::Same {
                        return self.wait(now, deadline);
                    }
                }
            }
        }
        // A peer that writes without end and never completes a message must not outrun the
        // deadline: the front end comes back at once, with the time of then.
        if deadline.passed(now) {
            return Err(Error::new(ErrorKind::TimedOut, Phase::Read));
        }
        Ok(Step::Wait(Wait::until(now)))
    }

    fn fill(&mut self) -> Result<Read> {
        let Some(end) = &mut self.end else { return Ok(Read::NoWriterYet) };
        let read = self.messages.buffer.fill(end);
        let read = read.map_err(|error| Error::system(error, Phase::Read))?;
        // A full window always holds a message, a part, or something to skip.
        Ok(read.unwrap_or(Read::Empty))
    }

    fn end_stream(&mut self) -> Result<()> {
        self.ended = true;
        if self.messages.discard() {
            return Err(Error::new(ErrorKind::Torn, Phase::Read)
                .detailed("the writers left inside a message"));
        }
        Ok(())
    }

    /// After the last writer left: a descriptor that is quiet again, on the FIFO that the path
    /// names now.
    fn renew(&mut self) -> Result<Standing> {
        let Some(end) = &mut self.end else { return Ok(Standing::Missing) };
        match end.renew()? {
            Standing::Replaced => {
                self.leave_replaced();
                Ok(Standing::Replaced)
            }
            Standing::Missing => {
                self.latched = true;
                Ok(Standing::Same)
            }
            Standing::Same => {
                self.latched = false;
                self.messages.stats.renewals += 1;
                Ok(Standing::Same)
            }
        }
    }

    /// Nothing to read now: wait, or fail if the deadline has come. A FIFO that was replaced is
    /// left as soon as it has nothing more to give.
    fn wait<T>(&mut self, now: Instant, deadline: Deadline) -> Result<Step<T>> {
        let mut standing = Standing::Same;
        // At the deadline too, so that its error does not depend on when the last check was.
        if self.next_check.is_none_or(|at| now >= at) || deadline.passed(now) {
            self.next_check = Some(now + STANDING_CHECK);
            if let Some(end) = &self.end {
                self.opener.settle();
                standing = end.standing().map_err(|error| Error::system(error, Phase::Read))?;
            }
        }
        if standing == Standing::Replaced {
            self.leave_replaced();
            return Ok(Step::Wait(Wait::until(now)));
        }
        if deadline.passed(now) {
            return Err(self.nothing_came(standing));
        }
        let until = self.next_check.map_or(deadline, |at| deadline.earlier(Deadline::at(at)));
        Ok(Step::Wait(Wait { readable: !self.latched, writable: false, until }))
    }

    fn leave_replaced(&mut self) {
        self.end = None;
        self.messages.stats.replaced += 1;
        self.messages.discard();
    }

    fn nothing_came(&self, standing: Standing) -> Error {
        let kind = match (standing, self.had_writer) {
            (Standing::Missing, _) => ErrorKind::NotFound,
            (_, true) => ErrorKind::TimedOut,
            (_, false) => ErrorKind::NoWriter,
        };
        Error::new(kind, Phase::Read)
    }
}
