//! A pipe in memory, and its ends.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::{Place, Ready};
use crate::error::Result;
use crate::pipe::{Read, Sink, Source, Standing, Write};

/// A pipe, apart from the path that names it.
#[derive(Clone, Debug)]
pub(crate) struct Pipe(Arc<Mutex<State>>);

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
    /// Who is woken once what they sleep on is ready.
    sleepers: Vec<(Of, Waker)>,
    /// Reads until one panics; none does at zero.
    panics_in: usize,
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
        Self(Arc::new(Mutex::new(State {
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
            sleepers: Vec::new(),
            panics_in: 0,
        })))
    }

    /// Moves at most this much per read.
    pub(crate) fn read_at_most(&self, most: usize) {
        self.state().reads.most = most;
    }

    /// Moves at most this much per write, whatever the kernel promises.
    pub(crate) fn write_at_most(&self, most: usize) {
        self.state().writes.most = most;
    }

    /// The sizes of the next reads; zero for "nothing just now".
    pub(crate) fn script_reads(&self, sizes: impl IntoIterator<Item = usize>) {
        self.state().reads.next.extend(sizes);
    }

    /// The sizes of the next writes; zero for "no room just now".
    pub(crate) fn script_writes(&self, sizes: impl IntoIterator<Item = usize>) {
        self.state().writes.next.extend(sizes);
    }

    /// Leaves out what is left of the scripts.
    pub(crate) fn forget_script(&self) {
        let state = &mut *self.state();
        state.reads.next.clear();
        state.writes.next.clear();
    }

    /// Panics in this many reads.
    pub(crate) fn panic_in(&self, reads: usize) {
        self.state().panics_in = reads;
    }

    /// The sizes of the writes that were made, since this was asked last.
    pub(crate) fn written(&self) -> Vec<usize> {
        std::mem::take(&mut self.state().written)
    }

    /// Bytes that ever moved, in and out.
    pub(crate) fn traffic(&self) -> u64 {
        self.state().traffic
    }

    pub(crate) fn len(&self) -> usize {
        self.state().bytes.len()
    }

    pub(crate) fn has_writer(&self) -> bool {
        self.state().writers > 0
    }

    pub(crate) fn has_reader(&self) -> bool {
        self.state().readers > 0
    }

    /// Puts bytes in, over the capacity too: what a stranger writes who has all the time.
    pub(crate) fn put(&self, bytes: &[u8]) {
        self.change(|state| state.bytes.extend(bytes));
    }

    /// Takes the first bytes out: what a second reader steals.
    pub(crate) fn take(&self, count: usize) -> Vec<u8> {
        self.change(|State { bytes, .. }| {
            let count = count.min(bytes.len());
            bytes.drain(..count).collect()
        })
    }

    /// Changes a byte by this pattern of bits.
    #[cfg(test)]
    pub(crate) fn flip(&self, at: usize, bits: u8) {
        if let Some(byte) = self.state().bytes.get_mut(at) {
            *byte ^= bits;
        }
    }

    /// The byte at this place.
    #[cfg(test)]
    pub(crate) fn peek(&self, at: usize) -> Option<u8> {
        self.state().bytes.get(at).copied()
    }

    /// Takes bytes out of the middle.
    #[cfg(test)]
    pub(crate) fn lose(&self, at: usize, count: usize) {
        self.change(|State { bytes, .. }| {
            let end = (at + count).min(bytes.len());
            bytes.drain(at.min(end)..end);
        });
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// An end of this pipe that no path led to.
    pub(crate) fn writer(&self, place: &Place) -> WriteEnd {
        self.change(|state| {
            state.writers += 1;
            state.writers_ever += 1;
        });
        WriteEnd { place: place.clone(), pipe: self.clone() }
    }

    /// An end of this pipe that no path led to.
    pub(crate) fn reader(&self, place: &Place) -> ReadEnd {
        let quiet_at = self.change(|state| {
            state.readers += 1;
            state.quiet_at()
        });
        ReadEnd { place: place.clone(), pipe: self.clone(), quiet_at }
    }

    fn close(&self, end: impl FnOnce(&mut State) -> &mut usize) {
        self.change(|state| {
            *end(state) -= 1;
            if state.readers == 0 && state.writers == 0 {
                state.bytes.clear();
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without a word to the hook, which would take the panic for the end of the run.
    fn come_to_panic(&self) {
        let mut state = self.state();
        let panics = state.panics_in == 1;
        state.panics_in = state.panics_in.saturating_sub(1);
        drop(state);
        if panics {
            std::panic::resume_unwind(Box::new("a read panics"));
        }
    }

    /// Changes what an end could wait for.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let changed = change(&mut state);
        let woken = state.take_ready();
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        changed
    }
}

impl State {
    /// The count of writers at which an end that is opened now does not report a departure.
    fn quiet_at(&self) -> Option<u64> {
        (self.writers == 0).then_some(self.writers_ever)
    }

    /// Whether an end that was quiet at this count of writers reports their departure.
    fn has_hung_up(&self, quiet_at: Option<u64>) -> bool {
        self.writers == 0 && quiet_at != Some(self.writers_ever)
    }

    fn is_readable(&self, quiet_at: Option<u64>) -> bool {
        !self.bytes.is_empty() || self.has_hung_up(quiet_at)
    }

    fn is_writable(&self) -> bool {
        self.readers == 0 || self.free() >= self.atomic
    }

    fn is_ready(&self, of: Of) -> bool {
        match of {
            Of::Reader { quiet_at } => self.is_readable(quiet_at),
            Of::Writer => self.is_writable(),
        }
    }

    fn take_ready(&mut self) -> Vec<Waker> {
        if self.sleepers.is_empty() {
            return Vec::new();
        }
        let (ready, asleep) =
            std::mem::take(&mut self.sleepers).into_iter().partition(|(of, _)| self.is_ready(*of));
        self.sleepers = asleep;
        let ready: Vec<_> = ready;
        ready.into_iter().map(|(_, waker)| waker).collect()
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
        self.pipe.state().has_hung_up(self.quiet_at)
    }

    /// What is asked by whoever sleeps on this end, whatever becomes of the end meanwhile.
    pub(crate) fn readiness(&self) -> Readiness {
        Readiness { pipe: self.pipe.clone(), of: Of::Reader { quiet_at: self.quiet_at } }
    }
}

impl Ready for ReadEnd {
    fn is_ready(&self) -> bool {
        self.pipe.state().is_readable(self.quiet_at)
    }
}

impl Source for ReadEnd {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Read> {
        self.pipe.come_to_panic();
        let quiet_at = self.quiet_at;
        Ok(self.pipe.change(|state| {
            if state.bytes.is_empty() && state.writers == 0 {
                let latched = state.has_hung_up(quiet_at);
                return if latched { Read::WritersGone } else { Read::NoWriterYet };
            }
            let count = state.reads.draw().min(state.bytes.len()).min(buffer.len());
            let (first, second) = state.bytes.as_slices();
            let of_first = count.min(first.len());
            buffer[..of_first].copy_from_slice(&first[..of_first]);
            buffer[of_first..count].copy_from_slice(&second[..count - of_first]);
            state.bytes.drain(..count);
            state.traffic += count as u64;
            if count == 0 { Read::Empty } else { Read::Bytes(count) }
        }))
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
            self.quiet_at = self.pipe.state().quiet_at();
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

    /// What is asked by whoever sleeps on this end, whatever becomes of the end meanwhile.
    pub(crate) fn readiness(&self) -> Readiness {
        Readiness { pipe: self.pipe.clone(), of: Of::Writer }
    }
}

impl Ready for WriteEnd {
    fn is_ready(&self) -> bool {
        self.pipe.state().is_writable()
    }
}

impl Sink for WriteEnd {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<Write> {
        Ok(self.pipe.change(|state| {
            if state.readers == 0 {
                return Write::NoReader;
            }
            let whole = bytes.len() <= state.atomic && bytes.len() > state.free();
            let room = if whole { 0 } else { state.free() };
            let count = state.writes.draw().min(room).min(bytes.len());
            if count == 0 {
                return Write::Full;
            }
            state.bytes.extend(&bytes[..count]);
            state.written.push(count);
            state.traffic += count as u64;
            Write::Bytes(count)
        }))
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

/// Whether an end is ready, as of its opening: what a descriptor that is slept on tells.
#[derive(Debug)]
pub(crate) struct Readiness {
    pipe: Pipe,
    of: Of,
}

#[derive(Clone, Copy, Debug)]
enum Of {
    Reader { quiet_at: Option<u64> },
    Writer,
}

impl Readiness {
    pub(crate) fn is_ready(&self) -> bool {
        self.pipe.state().is_ready(self.of)
    }

    /// Wakes once it is ready, where it is not.
    pub(crate) fn wake_when_ready(&self, waker: &Waker) {
        let mut state = self.pipe.state();
        if !state.is_ready(self.of) {
            state.sleepers.push((self.of, waker.clone()));
        }
    }

    /// As [`wake_when_ready`](Self::wake_when_ready), and nobody else that waited on this side.
    pub(crate) fn wake_only(&self, waker: &Waker) {
        let side = std::mem::discriminant(&self.of);
        self.pipe.state().sleepers.retain(|(of, _)| std::mem::discriminant(of) != side);
        self.wake_when_ready(waker);
    }
}
