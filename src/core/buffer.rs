//! The window of unread bytes: filled by reads, emptied from the front.

use std::io;

use super::wire::MAX_FRAME;
use crate::pipe::{Read, Source};

/// Unread bytes, never more than 64 KiB of them.
///
/// The size is that of the largest frame: one can always be held whole and checked, and no peer
/// can make the window grow. The memory is taken with the first read, so that idle endpoints cost
/// none.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(crate) const CAPACITY: usize = MAX_FRAME;

    /// Reads once into the free room behind the unread bytes.
    ///
    /// `None` where there is no room, because nothing was consumed.
    pub(crate) fn fill(&mut self, source: &mut impl Source) -> io::Result<Option<Read>> {
        let room = self.make_room();
        if room.is_empty() {
            return Ok(None);
        }
        let read = source.try_read(room)?;
        if let Read::Bytes(count) = read {
            self.end += count;
        }
        Ok(Some(read))
    }

    /// Takes as many of `bytes` as there is room for behind the unread ones; answers how many.
    #[cfg(feature = "codec")]
    pub(crate) fn take(&mut self, bytes: &[u8]) -> usize {
        if bytes.is_empty() {
            return 0;
        }
        let room = self.make_room();
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        self.end += count;
        count
    }

    #[inline]
    pub(crate) fn unread(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// Bytes that were consumed already but are still in place, by position in the window.
    #[inline]
    pub(crate) fn consumed(&self, range: std::ops::Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Where the unread bytes start in the window.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.start
    }

    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start);
        self.start = (self.start + count).min(self.end);
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn is_full(&self) -> bool {
        self.end - self.start == Self::CAPACITY
    }

    /// The memory this takes, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Moves the unread bytes to the front; answers the room behind them. They are less than one
    /// frame whenever this is called, so the work per byte read is bounded.
    fn make_room(&mut self) -> &mut [u8] {
        if self.bytes.is_empty() {
            self.bytes = vec![0; Self::CAPACITY];
        }
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.bytes[self.end..]
    }
}
