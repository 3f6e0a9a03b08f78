//! Pipes that behave as a test says: no descriptor, no sleep, no clock.
//!
//! They follow what was measured of real FIFOs: a write of up to `PIPE_BUF` bytes is whole or
//! nothing, what is in the pipe is gone once every end has closed, and the departure of the last
//! writer is latched per open. What a kernel does rarely, a test orders: reads and writes of
//! chosen sizes, an end that says "not now" although it could, a refused open, a path that names
//! another pipe.

// The fuzz targets need less of it than the tests do, and those less than the checker of threads.
#![cfg_attr(not(all(test, shuttle)), allow(dead_code, unused_imports))]

mod pipe;
mod session;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::link::Link;
use super::step::Wait;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::pipe::{Attempt, Opener, Refusal, Sink, Source, Standing};

pub(crate) use pipe::{Pipe, ReadEnd, Readiness, WriteEnd};
pub(crate) use session::{Call, Client, Server, Session};

/// A path: it names a pipe, or nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place(Arc<Mutex<Spot>>);

#[derive(Debug, Default)]
struct Spot {
    pipe: Option<Pipe>,
    refusals: VecDeque<Refusal>,
    failure: Option<ErrorKind>,
    attempts: usize,
}

impl Place {
    /// A path that names nothing.
    pub(crate) fn empty() -> Self {
        Self::default()
    }

    /// A path that names a pipe of this capacity.
    pub(crate) fn with_pipe(capacity: usize) -> Self {
        let place = Self::empty();
        place.make(capacity);
        place
    }

    /// Has the path name a new pipe; ends of an older one stay with theirs.
    pub(crate) fn make(&self, capacity: usize) -> Pipe {
        let pipe = Pipe::new(capacity);
        self.spot().pipe = Some(pipe.clone());
        pipe
    }

    pub(crate) fn unlink(&self) {
        self.spot().pipe = None;
    }

    pub(crate) fn exists(&self) -> bool {
        self.spot().pipe.is_some()
    }

    /// Refuses the next attempts to open, in this order.
    pub(crate) fn refuse(&self, refusals: impl IntoIterator<Item = Refusal>) {
        self.spot().refusals.extend(refusals);
    }

    /// Fails the next attempt to open with what waiting will not mend.
    pub(crate) fn fail(&self, kind: ErrorKind) {
        self.spot().failure = Some(kind);
    }

    /// Refuses and fails nothing any more.
    #[cfg(test)]
    pub(crate) fn relent(&self) {
        let spot = &mut *self.spot();
        spot.refusals.clear();
        spot.failure = None;
    }

    /// How often it was tried to open an end here.
    pub(crate) fn attempts(&self) -> usize {
        self.spot().attempts
    }

    /// The pipe that the path names; a test that asks has made one.
    pub(crate) fn pipe(&self) -> Pipe {
        match &self.spot().pipe {
            Some(pipe) => pipe.clone(),
            None => panic!("the path names nothing"),
        }
    }

    pub(crate) fn reader(&self) -> ReadOpener {
        ReadOpener(self.clone())
    }

    pub(crate) fn writer(&self) -> WriteOpener {
        WriteOpener(self.clone())
    }

    fn attempt<End>(&self, open: impl FnOnce(&Pipe) -> Option<End>) -> Result<Attempt<End>> {
        let mut spot = self.spot();
        spot.attempts += 1;
        if let Some(kind) = spot.failure.take() {
            return Err(Error::new(kind, Phase::Open));
        }
        if let Some(refusal) = spot.refusals.pop_front() {
            return Ok(Attempt::Refused(refusal));
        }
        Ok(match spot.pipe.as_ref().map(open) {
            Some(Some(end)) => Attempt::Open(end),
            Some(None) => Attempt::Refused(Refusal::NoReader),
            None => Attempt::Refused(Refusal::NotFound),
        })
    }

    fn spot(&self) -> MutexGuard<'_, Spot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn standing(&self, of: &Pipe) -> Standing {
        match &self.spot().pipe {
            Some(pipe) if pipe.is(of) => Standing::Same,
            Some(_) => Standing::Replaced,
            None => Standing::Missing,
        }
    }
}

/// Opens reading ends.
#[derive(Clone, Debug)]
pub(crate) struct ReadOpener(Place);

/// Opens writing ends.
#[derive(Clone, Debug)]
pub(crate) struct WriteOpener(Place);

impl Opener for ReadOpener {
    type End = ReadEnd;

    fn path(&self) -> &Path {
        Path::new("scripted")
    }

    fn attempt(&mut self) -> Result<Attempt<ReadEnd>> {
        self.0.attempt(|pipe| Some(pipe.reader(&self.0)))
    }
}

impl Opener for WriteOpener {
    type End = WriteEnd;

    fn path(&self) -> &Path {
        Path::new("scripted")
    }

    fn attempt(&mut self) -> Result<Attempt<WriteEnd>> {
        self.0.attempt(|pipe| pipe.has_reader().then(|| pipe.writer(&self.0)))
    }
}

/// A virtual clock: it moves when a test says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) now: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self::starting_at(Instant::now())
    }

    pub(crate) fn starting_at(start: Instant) -> Self {
        Self { now: start }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    /// What the kernel's monotonic clock would say, in nanoseconds.
    pub(crate) fn ns(&self) -> u64 {
        crate::sys::monotonic_ns(self.now)
    }
}

/// An end that can be waited on.
pub(crate) trait Ready {
    /// What `poll` would say.
    fn is_ready(&self) -> bool;
}

/// Whether a front end that sleeps for `wait` would be woken by now.
pub(crate) fn wakes<R, W>(link: &Link<R, W>, wait: Wait, now: Instant) -> bool
where
    R: Opener<End: Source + Ready>,
    W: Opener<End: Sink + Ready>,
{
    wait.until.passed(now)
        || wait.readable && link.reader().is_some_and(Ready::is_ready)
        || wait.writable && link.writer().is_some_and(Ready::is_ready)
}
