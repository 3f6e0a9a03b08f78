//! Open ends of a FIFO: what the core reads from and writes to.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use super::Trust;
use super::held::{Attempted, Held, Shared};
use crate::error::{Error, Phase, Result};
use crate::pipe::{Read, Sink, Source, Standing, Write};
use crate::sys::{self, Identity};

/// A FIFO opened for reading.
#[derive(Debug)]
pub(crate) struct ReadEnd<H: Held = Shared> {
    origin: Option<Origin>,
    held: H,
    /// The descriptor that was opened first, once it has been exchanged: it holds the lock, which
    /// a descriptor cannot hand to another without a gap.
    lock_holder: Option<H::Retired>,
}

/// A FIFO opened for writing.
#[derive(Debug)]
pub(crate) struct WriteEnd<H: Held = Shared> {
    origin: Option<Origin>,
    held: H,
}

/// The path that an end was opened by, and which FIFO it led to. A descriptor that was handed to
/// this crate has none.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) path: PathBuf,
    pub(super) trust: Trust,
    pub(super) identity: Identity,
}

impl Origin {
    fn standing(&self) -> io::Result<Standing> {
        match sys::facts_at(&self.path) {
            Ok(facts) if facts.identity == self.identity => Ok(Standing::Same),
            Ok(_) => Ok(Standing::Replaced),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Standing::Missing),
            Err(error) => Err(error),
        }
    }

    /// The same FIFO once more; `None` where the path leads to another by now.
    fn reopen(&self) -> Result<Option<OwnedFd>> {
        let failed = |error| Error::system(error, Phase::Open).at(&self.path);
        let fresh = sys::open_reader(&self.path).map_err(failed)?;
        let facts = sys::facts_of(&fresh).map_err(failed)?;
        self.trust.check(&facts, &self.path)?;
        Ok((facts.identity == self.identity).then_some(fresh))
    }
}

impl<H: Held> ReadEnd<H> {
    pub(super) fn new(origin: Option<Origin>, held: H) -> Self {
        Self { origin, held, lock_holder: None }
    }

    /// The descriptor, as the front end keeps it.
    pub(crate) fn held(&self) -> &H {
        &self.held
    }

    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn held_mut(&mut self) -> &mut H {
        &mut self.held
    }

    pub(crate) fn capacity(&self) -> Option<usize> {
        sys::capacity(self.held.as_fd())
    }

    /// The same FIFO once more; `None` where there is no other way to it than a path, and that
    /// leads to another by now.
    fn reopen(&self) -> Result<Option<OwnedFd>> {
        match (sys::reopen_reader(self.held.as_fd()), &self.origin) {
            (Ok(fresh), _) => Ok(Some(fresh)),
            // Without /proc the path has to do, and what it led to is checked once more.
            (Err(_), Some(origin)) => origin.reopen(),
            (Err(error), None) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        let error = Error::system(error, Phase::Open);
        match &self.origin {
            Some(origin) => error.at(&origin.path),
            None => error,
        }
    }

    fn exchange(&mut self, fresh: OwnedFd) -> io::Result<()> {
        // The fresh descriptor exists before the old one goes: at no instant is the FIFO without a
        // reader, so nothing in it is lost and no writer is refused.
        let old = std::mem::replace(&mut self.held, H::hold(fresh)?);
        if self.lock_holder.is_none() {
            self.lock_holder = Some(old.retire()?);
        }
        Ok(())
    }
}

impl<H: Held> Source for ReadEnd<H> {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Read> {
        self.held.attempt(|fd| {
            let outcome = read(fd, buffer);
            // A pipe gives all it has: less than asked for is all there was.
            let more = matches!(outcome, Ok(Read::Bytes(count)) if count == buffer.len());
            Attempted::new(outcome, more)
        })
    }

    fn has_hung_up(&self) -> bool {
        sys::has_hung_up(self.held.as_fd()).unwrap_or(false)
    }

    fn standing(&self) -> io::Result<Standing> {
        self.origin.as_ref().map_or(Ok(Standing::Same), Origin::standing)
    }

    fn renew(&mut self) -> Result<Standing> {
        match self.standing().map_err(|error| self.failed(error))? {
            Standing::Same => {}
            other => return Ok(other),
        }
        let Some(fresh) = self.reopen()? else { return Ok(Standing::Replaced) };
        self.exchange(fresh).map_err(|error| self.failed(error))?;
        Ok(Standing::Same)
    }
}

impl<H: Held> AsFd for ReadEnd<H> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.held.as_fd()
    }
}

impl<H: Held> WriteEnd<H> {
    pub(super) fn new(origin: Option<Origin>, held: H) -> Self {
        Self { origin, held }
    }

    /// The descriptor, as the front end keeps it.
    pub(crate) fn held(&self) -> &H {
        &self.held
    }

    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn held_mut(&mut self) -> &mut H {
        &mut self.held
    }
}

impl<H: Held> Sink for WriteEnd<H> {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<Write> {
        self.held.attempt(|fd| {
            let outcome = write(fd, bytes);
            // A pipe takes all it has room for: less than offered is all there was.
            let more = matches!(outcome, Ok(Write::Bytes(count)) if count == bytes.len());
            Attempted::new(outcome, more)
        })
    }

    fn standing(&self) -> io::Result<Standing> {
        self.origin.as_ref().map_or(Ok(Standing::Same), Origin::standing)
    }

    fn has_reader(&self) -> bool {
        sys::has_reader(self.held.as_fd()).unwrap_or(false)
    }

    fn capacity(&self) -> Option<usize> {
        sys::capacity(self.held.as_fd())
    }
}

impl<H: Held> AsFd for WriteEnd<H> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.held.as_fd()
    }
}

fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Read> {
    match sys::read(fd, buffer) {
        Ok(0) if sys::has_hung_up(fd)? => Ok(Read::WritersGone),
        Ok(0) => Ok(Read::NoWriterYet),
        Ok(count) => Ok(Read::Bytes(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::Empty),
        Err(error) => Err(error),
    }
}

fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<Write> {
    match sys::write(fd, bytes) {
        Ok(count) => Ok(Write::Bytes(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Write::Full),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Write::NoReader),
        Err(error) => Err(error),
    }
}
