//! Bytes that answer a call.

use std::fmt;
use std::io::{self, Read};

use super::Stream;
use crate::front::{CallId, Chunk, failed_before};

/// The bytes that answer a call; see [`Call::download`](crate::Call::download).
///
/// An error of the call is the error of a read: `io::Error` holds it as its inner error. From then
/// on every read fails, so that what has come is never taken for the whole. Dropped
/// before the end, it gives the call up, and the server is told.
pub struct Download<'c> {
    stream: Stream<'c>,
    chunk: Chunk,
    failed: bool,
}

impl<'c> Download<'c> {
    pub(super) fn new(stream: Stream<'c>) -> Self {
        Self { stream, chunk: Chunk::default(), failed: false }
    }

    /// The name of the call, by which [`Client::cancel`](crate::Client::cancel) knows it.
    pub fn id(&self) -> CallId {
        self.stream.id()
    }
}

impl Read for Download<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !buffer.is_empty() {
            if self.failed {
                return Err(failed_before());
            }
            let item = self.stream.next();
            self.failed = item.is_err();
            let Some(item) = item? else { return Ok(0) };
            let before = self.chunk.replace(item);
            self.stream.recycle(before);
        }
        Ok(self.chunk.read(buffer))
    }
}

impl fmt::Debug for Download<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("id", &self.stream.id).finish_non_exhaustive()
    }
}
