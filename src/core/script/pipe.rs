//! A pipe in memory, and its ends.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use super::{Place, Ready};
use crate::error::Result;
use crate::pipe::{Read, Sink, Source, Standing, Write};

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
    /// Bytes that ever moved, in and out.
    traffic: u64,
}

/// How much one transfer may move: scripted sizes first, zero for "not now", then the most.
#[derive(Debug)]
struct Sizes {
    next: VecDeque<usize>,
    most: usize,
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
            traffic: 0,
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

    /// Leaves out what is left of the scripts.
    pub(crate) fn forget_script(&self) {
        let state = &mut *self.0.borrow_mut();
        state.reads.next.clear();
        state.writes.next.clear();
    }

    /// The sizes of the writes that were made, since this was asked last.
    pub(crate) fn written(&self) -> Vec<usize> {
        std::mem::take(&mut self.0.borrow_mut().written)
    }

    /// Bytes that ever moved, in and out.
    pub(crate) fn traffic(&self) -> u64 {
        self.0.borrow().traffic
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

    /// Changes a byte by this pattern of bits.
    #[cfg(test)]
    pub(crate) fn flip(&self, at: usize, bits: u8) {
        if let Some(byte) = self.0.borrow_mut().bytes.get_mut(at) {
            *byte ^= bits;
        }
    }

    /// The byte at this place.
    #[cfg(test)]
    pub(crate) fn peek(&self, at: usize) -> Option<u8> {
        self.0.borrow().bytes.get(at).copied()
    }

    /// Takes bytes out of the middle.
    #[cfg(test)]
    pub(crate) fn lose(&self, at: usize, count: usize) {
        let bytes = &mut self.0.borrow_mut().bytes;
        let end = (at + count).min(bytes.len());
        bytes.drain(at.min(end)..end);
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
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
    pub(crate) fn pipe(&self) -> &Pipe {
        &self.pipe
    }

    /// Whether the departure of the last writers is reported.
    fn is_latched(&self) -> bool {
        let state = self.pipe.0.borrow();
        state.writers == 0 && self.quiet_at != Some(state.writers_ever)
    }
}

impl Ready for ReadEnd {
    fn is_ready(&self) -> bool {
        self.pipe.len() > 0 || self.is_latched()
    }
}

impl Source for ReadEnd {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Read> {
        let mut state = self.pipe.0.borrow_mut();
        if state.bytes.is_empty() && state.writers == 0 {
            drop(state);
            return Ok(if self.is_latched() { Read::WritersGone } else { Read::NoWriterYet });
        }
        let count = state.reads.draw().min(state.bytes.len()).min(buffer.len());
        let (first, second) = state.bytes.as_slices();
        let of_first = count.min(first.len());
        buffer[..of_first].copy_from_slice(&first[..of_first]);
        buffer[of_first..count].copy_from_slice(&second[..count - of_first]);
        state.bytes.drain(..count);
        state.traffic += count as u64;
        Ok(if count == 0 { Read::Empty } else { Read::Bytes(count) })
    }

    fn has_hung_up(&self) -> bool {
        self.pipe.len() == 0 && self.is_latched()
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
    pub(crate) fn pipe(&self) -> &Pipe {
        &self.pipe
    }
}

impl Ready for WriteEnd {
    fn is_ready(&self) -> bool {
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
        state.traffic += count as u64;
        Ok(Write::Bytes(count))
    }

    fn standing(&self) -> io::Result<Standing> {
        Ok(self.place.standing(&self.pipe))
    }

    fn has_reader(&self) -> bool {
        self.pipe.has_reader()
    }

    fn capacity(&self) -> Option<usize> {
        None
    }
}

impl Drop for WriteEnd {
    fn drop(&mut self) {
        self.pipe.close(|state| &mut state.writers);
    }
}
