//! Pipes that behave as a test says: no descriptor, no sleep, no clock.
//!
//! They follow what was measured of real FIFOs: a write of up to `PIPE_BUF` bytes is whole or
//! nothing, what is in the pipe is gone once every end has closed, and the departure of the last
//! writer is latched per open. What a kernel does rarely, a test orders: reads and writes of
//! chosen sizes, an end that says "not now" although it could, a refused open, a path that names
//! another pipe.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::link::Link;
use super::step::Wait;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::pipe::{Attempt, Opener, Read, Refusal, Sink, Source, Standing, Write};

/// A path: it names a pipe, or nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place(Rc<RefCell<Spot>>);

#[derive(Debug, Default)]
struct Spot {
    pipe: Option<Pipe>,
    refusals: VecDeque<Refusal>,
    failure: Option<ErrorKind>,
    attempts: usize,
}

/// A pipe, apart from the path that names it.
#[derive(Clone, Debug)]
pub(crate) struct Pipe(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    bytes: VecDeque<u8>,
    capacity: usize,
    /// Writes up to this size are whole or nothing.
    atomic: usize,
    readers: usize,
    writers: usize,
    /// Writers that have ever come: an end that was opened before the last of them knows that
    /// there was one.
    writers_ever: u64,
    reads: Sizes,
    writes: Sizes,
    written: Vec<usize>,
}

/// How much one transfer may move: scripted sizes first, zero for "not now", then the most.
#[derive(Debug)]
struct Sizes {
    next: VecDeque<usize>,
    most: usize,
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
        self.0.borrow_mut().pipe = Some(pipe.clone());
        pipe
    }

    pub(crate) fn unlink(&self) {
        self.0.borrow_mut().pipe = None;
    }

    /// Refuses the next attempts to open, in this order.
    pub(crate) fn refuse(&self, refusals: impl IntoIterator<Item = Refusal>) {
        self.0.borrow_mut().refusals.extend(refusals);
    }

    /// Fails the next attempt to open with what waiting will not mend.
    pub(crate) fn fail(&self, kind: ErrorKind) {
        self.0.borrow_mut().failure = Some(kind);
    }

    /// How often it was tried to open an end here.
    pub(crate) fn attempts(&self) -> usize {
        self.0.borrow().attempts
    }

    /// The pipe that the path names; a test that asks has made one.
    pub(crate) fn pipe(&self) -> Pipe {
        match &self.0.borrow().pipe {
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
        let mut spot = self.0.borrow_mut();
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

    fn standing(&self, of: &Pipe) -> Standing {
        match &self.0.borrow().pipe {
            Some(pipe) if Rc::ptr_eq(&pipe.0, &of.0) => Standing::Same,
            Some(_) => Standing::Replaced,
            None => Standing::Missing,
        }
    }
}

impl Pipe {
    /// What the kernel writes in one piece.
    pub(crate) const PIPE_BUF: usize = 4096;

    pub(crate) fn new(capacity: usize) -> Self {
        let any = || Sizes { next: VecDeque::new(), most: usize::MAX };
        Self(Rc::new(RefCell::new(State {
            bytes: VecDeque::new(),
            capacity,
            // A pipe that is smaller than a page exists only here; it takes what fits.
            atomic: if capacity < Self::PIPE_BUF { 1 } else { Self::PIPE_BUF },
            readers: 0,
            writers: 0,
            writers_ever: 0,
            reads: any(),
            writes: any(),
            written: Vec::new(),
        })))
    }

    /// Moves at most this much per read.
    pub(crate) fn read_at_most(&self, most: usize) {
        self.0.borrow_mut().reads.most = most;
    }

    /// Moves at most this much per write, whatever the kernel promises.
    pub(crate) fn write_at_most(&self, most: usize) {
        self.0.borrow_mut().writes.most = most;
    }

    /// The sizes of the next reads; zero for "nothing just now".
    pub(crate) fn script_reads(&self, sizes: impl IntoIterator<Item = usize>) {
        self.0.borrow_mut().reads.next.extend(sizes);
    }

    /// The sizes of the next writes; zero for "no room just now".
    pub(crate) fn script_writes(&self, sizes: impl IntoIterator<Item = usize>) {
        self.0.borrow_mut().writes.next.extend(sizes);
    }

    /// The sizes of the writes that were made, since this was asked last.
    pub(crate) fn written(&self) -> Vec<usize> {
        std::mem::take(&mut self.0.borrow_mut().written)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().bytes.len()
    }

    pub(crate) fn has_writer(&self) -> bool {
        self.0.borrow().writers > 0
    }

    pub(crate) fn has_reader(&self) -> bool {
        self.0.borrow().readers > 0
    }

    /// Puts bytes in, over the capacity too: what a stranger writes who has all the time.
    pub(crate) fn put(&self, bytes: &[u8]) {
        self.0.borrow_mut().bytes.extend(bytes);
    }

    /// Takes the first bytes out: what a second reader steals.
    pub(crate) fn take(&self, count: usize) -> Vec<u8> {
        let bytes = &mut self.0.borrow_mut().bytes;
        let count = count.min(bytes.len());
        bytes.drain(..count).collect()
    }

    /// An end of this pipe that no path led to.
    pub(crate) fn writer(&self, place: &Place) -> WriteEnd {
        let mut state = self.0.borrow_mut();
        state.writers += 1;
        state.writers_ever += 1;
        WriteEnd { place: place.clone(), pipe: self.clone() }
    }

    /// An end of this pipe that no path led to.
    pub(crate) fn reader(&self, place: &Place) -> ReadEnd {
        let mut state = self.0.borrow_mut();
        state.readers += 1;
        ReadEnd { place: place.clone(), pipe: self.clone(), quiet_at: state.quiet_at() }
    }

    fn close(&self, end: impl FnOnce(&mut State) -> &mut usize) {
        let mut state = self.0.borrow_mut();
        *end(&mut state) -= 1;
        if state.readers == 0 && state.writers == 0 {
            state.bytes.clear();
        }
    }
}

impl State {
    /// The count of writers at which an end that is opened now does not report a departure.
    fn quiet_at(&self) -> Option<u64> {
        (self.writers == 0).then_some(self.writers_ever)
    }

    fn free(&self) -> usize {
        self.capacity.saturating_sub(self.bytes.len())
    }
}

impl Sizes {
    /// How much the next transfer may move.
    fn draw(&mut self) -> usize {
        self.next.pop_front().unwrap_or(self.most)
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

    fn attempt(&mut self) -> Result<Attempt<ReadEnd>> {
        self.0.attempt(|pipe| Some(pipe.reader(&self.0)))
    }
}

impl Opener for WriteOpener {
    type End = WriteEnd;

    fn attempt(&mut self) -> Result<Attempt<WriteEnd>> {
        self.0.attempt(|pipe| pipe.has_reader().then(|| pipe.writer(&self.0)))
    }
}

/// An end that is read from.
#[derive(Debug)]
pub(crate) struct ReadEnd {
    place: Place,
    pipe: Pipe,
    quiet_at: Option<u64>,
}

/// An end that is written to.
#[derive(Debug)]
pub(crate) struct WriteEnd {
    place: Place,
    pipe: Pipe,
}

impl ReadEnd {
    fn has_hung_up(&self) -> bool {
        let state = self.pipe.0.borrow();
        state.writers == 0 && self.quiet_at != Some(state.writers_ever)
    }

    /// What `poll` would say.
    pub(crate) fn is_ready(&self) -> bool {
        self.pipe.len() > 0 || self.has_hung_up()
    }
}

impl Source for ReadEnd {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Read> {
        let mut state = self.pipe.0.borrow_mut();
        if state.bytes.is_empty() && state.writers == 0 {
            drop(state);
            return Ok(if self.has_hung_up() { Read::WritersGone } else { Read::NoWriterYet });
        }
        let count = state.reads.draw().min(state.bytes.len()).min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(state.bytes.drain(..count)) {
            *to = from;
        }
        Ok(if count == 0 { Read::Empty } else { Read::Bytes(count) })
    }

    fn standing(&self) -> io::Result<Standing> {
        Ok(self.place.standing(&self.pipe))
    }

    fn renew(&mut self) -> Result<Standing> {
        let standing = self.place.standing(&self.pipe);
        if standing == Standing::Same {
            self.quiet_at = self.pipe.0.borrow().quiet_at();
        }
        Ok(standing)
    }
}

impl Drop for ReadEnd {
    fn drop(&mut self) {
        self.pipe.close(|state| &mut state.readers);
    }
}

impl WriteEnd {
    /// What `poll` would say.
    pub(crate) fn is_ready(&self) -> bool {
        let state = self.pipe.0.borrow();
        state.readers == 0 || state.free() >= state.atomic
    }
}

impl Sink for WriteEnd {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<Write> {
        let mut state = self.pipe.0.borrow_mut();
        if state.readers == 0 {
            return Ok(Write::NoReader);
        }
        let whole = bytes.len() <= state.atomic && bytes.len() > state.free();
        let room = if whole { 0 } else { state.free() };
        let count = state.writes.draw().min(room).min(bytes.len());
        if count == 0 {
            return Ok(Write::Full);
        }
        state.bytes.extend(&bytes[..count]);
        state.written.push(count);
        Ok(Write::Bytes(count))
    }

    fn standing(&self) -> io::Result<Standing> {
        Ok(self.place.standing(&self.pipe))
    }

    fn has_reader(&self) -> bool {
        self.pipe.has_reader()
    }
}

impl Drop for WriteEnd {
    fn drop(&mut self) {
        self.pipe.close(|state| &mut state.writers);
    }
}

/// A virtual clock: it moves when a test says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    pub(crate) now: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let start = Instant::now();
        Self { start, now: start }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    /// What the kernel's monotonic clock would say, in nanoseconds; never zero.
    pub(crate) fn ns(&self) -> u64 {
        1 + (self.now - self.start).as_nanos() as u64
    }
}

/// Whether a front end that sleeps for `wait` would be woken by now.
pub(crate) fn wakes(link: &Link<ReadOpener, WriteOpener>, wait: Wait, now: Instant) -> bool {
    wait.until.passed(now)
        || wait.readable && link.reader().is_some_and(ReadEnd::is_ready)
        || wait.writable && link.writer().is_some_and(WriteEnd::is_ready)
}
