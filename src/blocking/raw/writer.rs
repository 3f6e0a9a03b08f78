//! The writing end of a FIFO, as bytes.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use crate::blocking::drive::{Waiter, drive};
use crate::core::raw::RawWriting;
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};
use crate::front::{FifoWriterOptions, Term};
use crate::node::{self, Trust, WriteEnd, WriteOpener};
use crate::pipe::Sink;
use crate::stats::FifoWriterStats;

/// Writes bytes into a FIFO, for a protocol of one's own; see [`FifoReader`](crate::FifoReader)
/// for both ends at work.
///
/// It opens as a [`Sender`](crate::Sender) does: verified, and never by a blocking call. A write
/// that finds no room waits for it, and fails once no byte has moved for the
/// [`stall_timeout`](FifoWriterOptions::stall_timeout); one that finds no reader fails at once, and
/// never by a signal. Only a write of at most `PIPE_BUF` bytes (4096 on Linux) stays in one piece
/// where others write too.
pub struct FifoWriter {
    writing: RawWriting<WriteOpener>,
    waiter: Waiter,
}

impl FifoWriter {
    /// Opens the FIFO at `path` for writing as soon as somebody reads it.
    ///
    /// # Errors
    /// As [`FifoWriterOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// Options.
    pub fn options() -> FifoWriterOptions {
        FifoWriterOptions::new()
    }

    /// How many bytes the FIFO holds, where the platform says.
    pub fn capacity(&self) -> Option<usize> {
        self.writing.end().capacity()
    }

    /// What was written so far.
    pub fn stats(&self) -> FifoWriterStats {
        self.writing.stats()
    }
}

impl io::Write for FifoWriter {
    /// Writes as much as there is room for, waiting for the first of it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let term = Term::until(Instant::now(), Deadline::NEVER);
        let wrote =
            drive(&mut self.waiter, &mut self.writing, term, Phase::Write, |writing, now| {
                writing.step(bytes, now)
            });
        Ok(wrote?)
    }

    /// Nothing is kept back: what was written is in the FIFO.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for FifoWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.writing.end().as_fd()
    }
}

/// Takes over a descriptor of a FIFO, or of an anonymous pipe, that is open for writing alone.
///
/// It is made non-blocking, which every duplicate of it is then too, and close-on-exec. It has no
/// path: no lock is taken, and a replacement is not noticed. One that is refused is closed, and
/// what its duplicates share is as it was.
///
/// # Errors
/// [`ErrorKind::NotAFifo`](crate::ErrorKind::NotAFifo), and
/// [`ErrorKind::WrongEnd`](crate::ErrorKind::WrongEnd) for one that is open for the other
/// direction, for both or for neither.
impl TryFrom<OwnedFd> for FifoWriter {
    type Error = Error;

    fn try_from(fd: OwnedFd) -> Result<Self> {
        let options = Self::options();
        let opener = WriteOpener::new(&node::name_of(&fd), Trust::default(), None, false);
        let end = WriteEnd::adopt(fd)?;
        Ok(Self {
            writing: RawWriting::new(opener, end, options.common.stall, Instant::now()),
            waiter: Waiter::new(&options.common),
        })
    }
}

impl fmt::Debug for FifoWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FifoWriter").finish_non_exhaustive()
    }
}

impl FifoWriterOptions {
    /// Opens the FIFO at `path` for writing as soon as somebody reads it.
    ///
    /// # Errors
    /// As [`SenderOptions::open`](crate::SenderOptions#method.open).
    pub fn open(self, path: impl AsRef<Path>) -> Result<FifoWriter> {
        let mut waiter = Waiter::new(&self.common);
        let mut unopened = self.machine(path.as_ref());
        let term = Term::timeout(Instant::now(), self.common.open_timeout);
        let end = drive(&mut waiter, &mut unopened, term, Phase::Open, |unopened, now| {
            unopened.step(now, term.deadline)
        })?;
        let (opener, stall) = (unopened.into_opener(), self.common.stall);
        Ok(FifoWriter { writing: RawWriting::new(opener, end, stall, Instant::now()), waiter })
    }
}
