//! An item of a payload, read piece by piece.

use std::io;

/// Bytes that came as one item, and how many of them were read.
#[derive(Default)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    read: usize,
}

impl Chunk {
    pub(crate) fn is_empty(&self) -> bool {
        self.read == self.bytes.len()
    }

    /// Holds another item from here on; answers the memory of the one before.
    pub(crate) fn replace(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        self.read = 0;
        std::mem::replace(&mut self.bytes, bytes)
    }

    /// Reads as much as there is and fits.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let unread = &self.bytes[self.read..];
        let count = unread.len().min(buffer.len());
        buffer[..count].copy_from_slice(&unread[..count]);
        self.read += count;
        count
    }
}

/// What a read says of a payload that has failed before.
pub(crate) fn failed_before() -> io::Error {
    let words = "the payload has failed before, and what has come of it is not the whole";
    io::Error::new(io::ErrorKind::BrokenPipe, words)
}
