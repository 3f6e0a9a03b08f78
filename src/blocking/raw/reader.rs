//! The reading end of a FIFO, as bytes.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::blocking::drive::{Waiter, drive};
use crate::core::raw::RawReading;
use crate::error::{Error, Phase, Result};
use crate::front::{FifoReaderOptions, Term};
use crate::node::{self, ReadEnd, ReadOpener, Trust};
use crate::stats::FifoReaderStats;

/// Reads bytes from a FIFO, for a protocol of one's own.
///
/// It opens as a [`Receiver`](crate::Receiver) does: verified, locked, and never by a blocking
/// call. Before the first writer a read waits; once the last has left, it answers zero bytes, or
/// waits for the next ([`FifoReaderOptions::end_of_writers`]).
///
/// An end stays on the FIFO that was opened. Where its path comes to name another, a read that
/// waits fails with [`ErrorKind::Replaced`](crate::ErrorKind::Replaced), inside of the
/// [`io::Error`].
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// use fifowire::{Fifo, FifoReader, FifoWriter};
/// use std::io::{BufRead, BufReader, Write};
///
/// let fifo = Fifo::create(directory.path().join("lines.fifo"))?;
/// let reader = FifoReader::open(fifo.path())?;
/// let mut writer = FifoWriter::open(fifo.path())?;
/// writeln!(writer, "one\ntwo")?;
/// drop(writer);
/// let lines: Vec<_> = BufReader::new(reader).lines().collect::<Result<_, _>>()?;
/// assert_eq!(lines, ["one", "two"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FifoReader {
    reading: RawReading<ReadOpener>,
    timeout: Option<Duration>,
    waiter: Waiter,
}

impl FifoReader {
    /// Opens the FIFO at `path` for reading; a writer need not be there yet.
    ///
    /// # Errors
    /// As [`FifoReaderOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// Options.
    pub fn options() -> FifoReaderOptions {
        FifoReaderOptions::new()
    }

    /// How many bytes the FIFO holds, where the platform says.
    pub fn capacity(&self) -> Option<usize> {
        self.reading.end().capacity()
    }

    /// What was read so far.
    pub fn stats(&self) -> FifoReaderStats {
        self.reading.stats()
    }
}

impl io::Read for FifoReader {
    /// Reads what is there, waiting for the first byte; zero is the end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let term = Term::within(Instant::now(), self.timeout);
        let read = drive(&mut self.waiter, &mut self.reading, term, Phase::Read, |reading, now| {
            reading.step(buffer, now, term.deadline)
        });
        Ok(read?)
    }
}

impl AsFd for FifoReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reading.end().as_fd()
    }
}

/// Takes over a descriptor of a FIFO, or of an anonymous pipe, that is open for reading alone.
///
/// It is made non-blocking, which every duplicate of it is then too, and close-on-exec. It has no
/// path: no lock is taken, and a replacement is not noticed. One that is refused is closed, and
/// what its duplicates share is as it was.
///
/// # Errors
/// [`ErrorKind::NotAFifo`](crate::ErrorKind::NotAFifo), and
/// [`ErrorKind::WrongEnd`](crate::ErrorKind::WrongEnd) for one that is open for the other
/// direction, for both or for neither.
impl TryFrom<OwnedFd> for FifoReader {
    type Error = Error;

    fn try_from(fd: OwnedFd) -> Result<Self> {
        let options = Self::options();
        let opener = ReadOpener::new(&node::name_of(&fd), Trust::default(), None);
        let end = ReadEnd::adopt(fd)?;
        Ok(Self {
            reading: RawReading::new(opener, end, options.on_end, Instant::now()),
            timeout: options.timeout,
            waiter: Waiter::new(&options.common),
        })
    }
}

impl fmt::Debug for FifoReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FifoReader").finish_non_exhaustive()
    }
}

impl FifoReaderOptions {
    /// Opens the FIFO at `path` for reading; a writer need not be there yet.
    ///
    /// # Errors
    /// As [`ReceiverOptions::open`](crate::ReceiverOptions#method.open).
    pub fn open(self, path: impl AsRef<Path>) -> Result<FifoReader> {
        let Self { common, timeout, on_end, .. } = &self;
        let mut waiter = Waiter::new(common);
        let mut unopened = self.machine(path.as_ref());
        let term = Term::timeout(Instant::now(), common.open_timeout);
        let end = drive(&mut waiter, &mut unopened, term, Phase::Open, |unopened, now| {
            unopened.step(now, term.deadline)
        })?;
        let reading = RawReading::new(unopened.into_opener(), end, *on_end, Instant::now());
        Ok(FifoReader { reading, timeout: *timeout, waiter })
    }
}
