//! Open ends of a FIFO: what the core reads from and writes to.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Trust;
use crate::error::{Error, Phase, Result};
use crate::pipe::{Read, Sink, Source, Standing, Write};
use crate::sys::{self, Identity};

/// A FIFO opened for reading.
#[derive(Debug)]
pub(crate) struct ReadEnd {
    path: PathBuf,
    trust: Trust,
    identity: Identity,
    /// Shared with threads that sleep on it while another exchanges it.
    fd: Arc<OwnedFd>,
    /// The descriptor that was opened first, once it has been exchanged: it holds the lock, which
    /// a descriptor cannot hand to another without a gap.
    lock_holder: Option<Arc<OwnedFd>>,
}

/// A FIFO opened for writing.
#[derive(Debug)]
pub(crate) struct WriteEnd {
    path: PathBuf,
    identity: Identity,
    /// Shared with threads that sleep on it while another gives it up.
    fd: Arc<OwnedFd>,
}

impl ReadEnd {
    pub(super) fn new(path: &Path, trust: Trust, fd: OwnedFd, identity: Identity) -> Self {
        Self { path: path.to_path_buf(), trust, identity, fd: Arc::new(fd), lock_holder: None }
    }

    /// The descriptor, kept open for as long as the answer lives.
    pub(crate) fn held(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.fd)
    }

    pub(crate) fn capacity(&self) -> Option<usize> {
        sys::capacity(self.fd.as_fd())
    }

    fn exchange(&mut self, fresh: OwnedFd) {
        // The fresh descriptor exists before the old one goes: at no instant is the FIFO without a
        // reader, so nothing in it is lost and no writer is refused.
        let old = std::mem::replace(&mut self.fd, Arc::new(fresh));
        self.lock_holder.get_or_insert(old);
    }
}

impl Source for ReadEnd {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Read> {
        let fd = self.fd.as_fd();
        match sys::read(fd, buffer) {
            Ok(0) if sys::has_hung_up(fd)? => Ok(Read::WritersGone),
            Ok(0) => Ok(Read::NoWriterYet),
            Ok(count) => Ok(Read::Bytes(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::Empty),
            Err(error) => Err(error),
        }
    }

    fn standing(&self) -> io::Result<Standing> {
        standing(&self.path, self.identity)
    }

    fn renew(&mut self) -> Result<Standing> {
        let failed = |error| Error::system(error, Phase::Open).at(&self.path);
        match self.standing().map_err(failed)? {
            Standing::Same => {}
            other => return Ok(other),
        }
        match sys::reopen_reader(self.fd.as_fd()) {
            Ok(fresh) => self.exchange(fresh),
            // Without /proc the path has to do, and what it led to is checked once more.
            Err(_) => {
                let fresh = sys::open_reader(&self.path).map_err(failed)?;
                let facts = sys::facts_of(&fresh).map_err(failed)?;
                self.trust.check(&facts, &self.path)?;
                if facts.identity != self.identity {
                    return Ok(Standing::Replaced);
                }
                self.exchange(fresh);
            }
        }
        Ok(Standing::Same)
    }
}

impl AsFd for ReadEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl WriteEnd {
    pub(super) fn new(path: &Path, fd: OwnedFd, identity: Identity) -> Self {
        Self { path: path.to_path_buf(), identity, fd: Arc::new(fd) }
    }

    /// The descriptor, kept open for as long as the answer lives.
    pub(crate) fn held(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.fd)
    }

    pub(crate) fn capacity(&self) -> Option<usize> {
        sys::capacity(self.fd.as_fd())
    }
}

impl Sink for WriteEnd {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<Write> {
        match sys::write(self.fd.as_fd(), bytes) {
            Ok(count) => Ok(Write::Bytes(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Write::Full),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Write::NoReader),
            Err(error) => Err(error),
        }
    }

    fn standing(&self) -> io::Result<Standing> {
        standing(&self.path, self.identity)
    }

    fn has_reader(&self) -> bool {
        sys::has_reader(self.fd.as_fd()).unwrap_or(false)
    }
}

impl AsFd for WriteEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn standing(path: &Path, identity: Identity) -> io::Result<Standing> {
    match sys::facts_at(path) {
        Ok(facts) if facts.identity == identity => Ok(Standing::Same),
        Ok(_) => Ok(Standing::Replaced),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Standing::Missing),
        Err(error) => Err(error),
    }
}
