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
        if self.bytes.is_empty() {
            self.bytes.resize(Self::CAPACITY, 0);
        }
        self.make_room();
        if self.end == Self::CAPACITY {
            return Ok(None);
        }
        let read = source.try_read(&mut self.bytes[self.end..])?;
        if let Read::Bytes(count) = read {
            self.end += count;
        }
        Ok(Some(read))
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

    /// Moves the unread bytes to the front. They are less than one frame whenever this is called,
    /// so the work per byte read is bounded.
    fn make_room(&mut self) {
        if self.start == 0 {
            return;
        }
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
    }
}
