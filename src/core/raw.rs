//! The bytes of one FIFO, without frames: for those who bring a protocol of their own.
//!
//! An end stays on the FIFO that was opened. Where the path comes to name another, that is an
//! error and no change-over: bytes of two FIFOs are no one stream.

use std::time::{Duration, Instant};

use super::open::Opening;
use super::reading_end::ReadingEnd;
use super::recv::EndOfWriters;
use super::step::{GIVEN_UP, Step, Wait};
use super::writing_end::WritingEnd;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::pipe::{Opener, Read, Sink, Source, Standing, Write};
use crate::stats::{EndStats, FifoReaderStats, FifoWriterStats, Tally};

/// An end that is being opened.
#[derive(Debug)]
pub(crate) struct Unopened<O> {
    opener: O,
    opening: Opening,
}

/// An end that is read from.
#[derive(Debug)]
pub(crate) struct RawReading<O: Opener> {
    /// Before the opener, so that it is closed first: closing a watch may take the kernel a while.
    open: ReadingEnd<O::End>,
    opener: O,
    on_end: EndOfWriters,
    stats: FifoReaderStats,
}

/// An end that is written to.
#[derive(Debug)]
pub(crate) struct RawWriting<O: Opener> {
    open: WritingEnd<O::End>,
    opener: O,
    stall: Duration,
    stalled: Option<Stalled>,
    stats: FifoWriterStats,
}

/// A write that no byte of has moved yet.
#[derive(Clone, Copy, Debug)]
struct Stalled {
    since: Instant,
    looked_at: Instant,
}

impl<O: Opener> Unopened<O> {
    pub(crate) fn new(opener: O) -> Self {
        Self { opener, opening: Opening::new() }
    }

    pub(crate) fn opener(&self) -> &O {
        &self.opener
    }

    /// What has opened an end, to go on with it.
    pub(crate) fn into_opener(self) -> O {
        self.opener
    }

    /// Opens the end.
    pub(crate) fn step(&mut self, now: Instant, deadline: Deadline) -> Result<Step<O::End>> {
        self.opening.step(&mut self.opener, now, deadline)
    }
}

impl<O: Opener<End: Source>> RawReading<O> {
    /// What `opener` has opened.
    pub(crate) fn new(opener: O, end: O::End, on_end: EndOfWriters, now: Instant) -> Self {
        let stats = FifoReaderStats::default();
        Self { open: ReadingEnd::new(end, now), opener, on_end, stats }
    }

    pub(crate) fn opener(&self) -> &O {
        &self.opener
    }

    pub(crate) fn end(&self) -> &O::End {
        self.open.end()
    }

    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn end_mut(&mut self) -> &mut O::End {
        self.open.end_mut()
    }

    /// What is told of this FIFO.
    pub(crate) fn tally(&self) -> Tally {
        let ends = EndStats { opened: 1, renewed: self.stats.reopened, ..EndStats::default() };
        Tally { ends, ..Tally::default() }
    }

    /// What has been read so far.
    pub(crate) fn stats(&self) -> FifoReaderStats {
        self.stats
    }

    /// Reads what is there into `buffer`; zero is the end.
    pub(crate) fn step(
        &mut self,
        buffer: &mut [u8],
        now: Instant,
        deadline: Deadline,
    ) -> Result<Step<usize>> {
        if buffer.is_empty() {
            return Ok(Step::Done(0));
        }
        match self.open.read(|end| end.try_read(buffer))? {
            Read::Bytes(count) => {
                self.stats.bytes += count as u64;
                self.stats.reads += 1;
                return Ok(Step::Done(count));
            }
            Read::WritersGone if self.on_end == EndOfWriters::End => return Ok(Step::Done(0)),
            Read::WritersGone => {
                let standing = self.open.renew()?;
                self.stats.reopened += u64::from(standing == Standing::Same);
                same(standing, Phase::Read)?;
            }
            Read::Empty | Read::NoWriterYet => {}
        }
        self.wait(now, deadline)
    }

    /// Only time has passed since the last step, and there is nothing to read: what to wait for
    /// from here on, unless there is more to do than to look after the path.
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn look(&mut self, now: Instant, deadline: Deadline) -> Option<Wait> {
        let quiet = !deadline.passed(now) && self.open.still_stands(now);
        quiet.then(|| self.open.wait().no_later_than(deadline))
    }

    /// Nothing to read now: wait, or fail if the deadline has come.
    fn wait(&mut self, now: Instant, deadline: Deadline) -> Result<Step<usize>> {
        if self.open.is_due(now) {
            self.opener.settle();
            same(self.open.check(now)?, Phase::Read)?;
        }
        if deadline.passed(now) {
            let silent = self.open.had_writer();
            let kind = if silent { ErrorKind::TimedOut } else { ErrorKind::NoWriter };
            return Err(Error::new(kind, Phase::Read));
        }
        Ok(Step::Wait(self.open.wait().no_later_than(deadline)))
    }
}

impl<O: Opener<End: Sink>> RawWriting<O> {
    /// What `opener` has opened.
    pub(crate) fn new(opener: O, end: O::End, stall: Duration, now: Instant) -> Self {
        let stats = FifoWriterStats::default();
        Self { open: WritingEnd::new(end, now), opener, stall, stalled: None, stats }
    }

    /// What has been written so far.
    pub(crate) fn stats(&self) -> FifoWriterStats {
        self.stats
    }

    pub(crate) fn opener(&self) -> &O {
        &self.opener
    }

    pub(crate) fn end(&self) -> &O::End {
        self.open.end()
    }

    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn end_mut(&mut self) -> &mut O::End {
        self.open.end_mut()
    }

    /// Writes `bytes`, or as much of them as there is room for.
    pub(crate) fn step(&mut self, bytes: &[u8], now: Instant) -> Result<Step<usize>> {
        if bytes.is_empty() {
            return Ok(Step::Done(0));
        }
        if self.open.is_due(now) {
            self.opener.settle();
            same(self.open.check(now)?, Phase::Write)?;
        }
        let write = self.open.end_mut().try_write(bytes);
        match write.map_err(|error| Error::system(error, Phase::Write))? {
            Write::Bytes(count) => {
                self.stalled = None;
                self.stats.bytes += count as u64;
                self.stats.writes += 1;
                Ok(Step::Done(count))
            }
            Write::NoReader => Err(Error::new(ErrorKind::PeerClosed, Phase::Write)),
            Write::Full => self.wait(now),
        }
    }

    /// Only time has passed since the last step, and there is no room: what to wait for from here
    /// on, unless there is more to do than to look after the path.
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn look(&mut self, now: Instant) -> Option<Wait> {
        let stalled = self.stalled.as_mut()?;
        let stalled_out = Deadline::after(stalled.since, self.stall);
        let quiet = !stalled_out.passed(now) && self.open.still_stands(now);
        quiet.then(|| {
            stalled.looked_at = now;
            Wait::writable(stalled_out.earlier(self.open.next_check()))
        })
    }

    fn wait(&mut self, now: Instant) -> Result<Step<usize>> {
        let since = match self.stalled {
            Some(stalled) if now < stalled.looked_at + GIVEN_UP => stalled.since,
            _ => now,
        };
        let stalled_out = Deadline::after(since, self.stall);
        // The next write has a time of its own.
        self.stalled = (!stalled_out.passed(now)).then_some(Stalled { since, looked_at: now });
        if self.stalled.is_none() {
            return Err(Error::new(ErrorKind::WriteStalled, Phase::Write));
        }
        Ok(Step::Wait(Wait::writable(stalled_out.earlier(self.open.next_check()))))
    }
}

/// A path that leads nowhere may be a FIFO that was unlinked on purpose, once both ends had it.
fn same(standing: Standing, phase: Phase) -> Result<()> {
    match standing {
        Standing::Same | Standing::Missing => Ok(()),
        Standing::Replaced => Err(Error::new(ErrorKind::Replaced, phase)),
    }
}
