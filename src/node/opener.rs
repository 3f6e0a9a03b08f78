//! One attempt to open an end: verified before and after, locked where it must be single.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::end::Origin;
use super::held::{Held, Shared};
use super::{ReadEnd, Trust, WriteEnd};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::pipe::{Attempt, Opener, Refusal};
use crate::sys::{self, Watch};

/// Opens the reading end of the FIFO at a path.
#[derive(Debug)]
pub(crate) struct ReadOpener<H = Shared> {
    place: Place,
    kept_by: PhantomData<fn() -> H>,
}

/// Opens the writing end of the FIFO at a path.
#[derive(Debug)]
pub(crate) struct WriteOpener<H = Shared> {
    place: Place,
    alone: bool,
    kept_by: PhantomData<fn() -> H>,
}

/// A path, what is accepted there, and the watch over it while it is not.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    trust: Trust,
    capacity: Option<usize>,
    /// Whether anybody listens to a watch.
    watches: bool,
    /// Attempts refused in a row.
    refused: u32,
    watch: Option<Arc<Watch>>,
}

/// Attempts before the path is watched. By then they are 5 ms apart and a notice is worth its
/// price: closing an inotify instance that still watches something waits for the kernel, 4 ms and
/// more, so that a short wait is better off without one.
const WATCH_AFTER: u32 = 6;

impl<H: Held> ReadOpener<H> {
    pub(crate) fn new(path: &Path, trust: Trust, capacity: Option<usize>) -> Self {
        Self { place: Place::new(path, trust, capacity, H::WATCHES), kept_by: PhantomData }
    }

    /// Tells of changes to the path, while the end is being opened.
    pub(crate) fn watch(&self) -> Option<&Arc<Watch>> {
        self.place.watch.as_ref()
    }
}

impl<H: Held> WriteOpener<H> {
    pub(crate) fn new(path: &Path, trust: Trust, capacity: Option<usize>, alone: bool) -> Self {
        let place = Place::new(path, trust, capacity, H::WATCHES);
        Self { place, alone, kept_by: PhantomData }
    }

    /// Tells of changes to the path, while the end is being opened.
    pub(crate) fn watch(&self) -> Option<&Arc<Watch>> {
        self.place.watch.as_ref()
    }
}

impl<H: Held> Opener for ReadOpener<H> {
    type End = ReadEnd<H>;

    fn path(&self) -> &Path {
        &self.place.path
    }

    fn settle(&mut self) {
        self.place.watch = None;
    }

    fn attempt(&mut self) -> Result<Attempt<ReadEnd<H>>> {
        let opened = self.place.attempt(sys::open_reader, sys::lock_reader)?;
        Ok(opened.map(|(held, origin)| ReadEnd::new(Some(origin), held)))
    }
}

impl<H: Held> Opener for WriteOpener<H> {
    type End = WriteEnd<H>;

    fn path(&self) -> &Path {
        &self.place.path
    }

    fn settle(&mut self) {
        self.place.watch = None;
    }

    fn attempt(&mut self) -> Result<Attempt<WriteEnd<H>>> {
        let alone = self.alone;
        let opened = self.place.attempt(sys::open_writer, |fd| sys::lock_writer(fd, alone))?;
        Ok(opened.map(|(held, origin)| WriteEnd::new(Some(origin), held)))
    }
}

impl Place {
    fn new(path: &Path, trust: Trust, capacity: Option<usize>, watches: bool) -> Self {
        Self { path: path.to_path_buf(), trust, capacity, watches, refused: 0, watch: None }
    }

    fn attempt<H: Held>(
        &mut self,
        open: impl FnOnce(&Path) -> io::Result<OwnedFd>,
        lock: impl FnOnce(BorrowedFd<'_>) -> io::Result<bool>,
    ) -> Result<Attempt<(H, Origin)>> {
        let attempt = self.open_verified(open, lock)?;
        match attempt {
            Attempt::Refused(Refusal::NoReader | Refusal::NotFound) => self.watch_path(),
            // A refused lock is noticed by the timer: our own attempts would wake the watch.
            Attempt::Refused(Refusal::Busy) | Attempt::Open(_) => {
                self.refused = 0;
                // Closed later, when what it watched is forgotten: see `settle`.
                self.watch.iter().for_each(|watch| watch.rest());
            }
        }
        Ok(attempt)
    }

    fn watch_path(&mut self) {
        self.refused = self.refused.saturating_add(1);
        if self.refused < WATCH_AFTER || !self.watches {
            return;
        }
        if self.watch.is_none() {
            self.watch = Watch::new().map(Arc::new);
        }
        if let Some(watch) = &self.watch {
            watch.follow(&self.path);
        }
    }

    fn open_verified<H: Held>(
        &self,
        open: impl FnOnce(&Path) -> io::Result<OwnedFd>,
        lock: impl FnOnce(BorrowedFd<'_>) -> io::Result<bool>,
    ) -> Result<Attempt<(H, Origin)>> {
        // The type first: opening a device can have effects, and a socket answers ENXIO like a
        // FIFO without a reader.
        let before = match sys::facts_at(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Attempt::Refused(Refusal::NotFound));
            }
            facts => facts.map_err(|error| self.failed(error))?,
        };
        self.trust.check(&before, &self.path)?;
        let fd = match open(&self.path) {
            Ok(fd) => fd,
            Err(error) => return self.refused(error),
        };
        // The path may have been given to another file in between.
        let facts = sys::facts_of(&fd).map_err(|error| self.failed(error))?;
        self.trust.check(&facts, &self.path)?;
        if !lock(fd.as_fd()).map_err(|error| self.failed(error))? {
            return Ok(Attempt::Refused(Refusal::Busy));
        }
        if let Some(capacity) = self.capacity {
            sys::set_capacity(fd.as_fd(), capacity);
        }
        let held = H::hold(fd).map_err(|error| self.failed(error))?;
        let Self { path, trust, .. } = self;
        let origin = Origin { path: path.clone(), trust: *trust, identity: facts.identity };
        Ok(Attempt::Open((held, origin)))
    }

    fn refused<T>(&self, error: io::Error) -> Result<Attempt<T>> {
        if sys::is_no_reader(&error) {
            return Ok(Attempt::Refused(Refusal::NoReader));
        }
        if error.kind() == io::ErrorKind::NotFound {
            return Ok(Attempt::Refused(Refusal::NotFound));
        }
        if sys::is_link(&error) {
            // It was put there in between.
            return Err(Error::new(ErrorKind::NotAFifo, Phase::Open).at(&self.path));
        }
        Err(self.failed(error))
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::system(error, Phase::Open).at(&self.path)
    }
}

impl<End> Attempt<End> {
    fn map<Other>(self, f: impl FnOnce(End) -> Other) -> Attempt<Other> {
        match self {
            Self::Open(end) => Attempt::Open(f(end)),
            Self::Refused(refusal) => Attempt::Refused(refusal),
        }
    }
}
