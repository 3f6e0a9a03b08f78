//! Bytes that answer a call.

use std::fmt;
use std::io;
use std::task::{Context, Poll, ready};

use super::Stream;
use crate::awaited::Runtime;
use crate::front::{CallId, Chunk, failed_before};

/// The bytes that answer a call, an `AsyncRead` of its runtime; see
/// [`Call::download`](crate::awaited::Call::download).
///
/// An error of the call is the error of a read: `io::Error` holds it as its inner error. From then
/// on every read fails, so that what has come is never taken for the whole. Dropped
/// before the end, it gives the call up, and the server is told.
///
/// # Cancel safety
/// A read that is dropped while it waits has taken no byte.
pub struct Download<R: Runtime> {
    stream: Stream<R>,
    chunk: Chunk,
    failed: bool,
}

impl<R: Runtime> Download<R> {
    pub(super) fn new(stream: Stream<R>) -> Self {
        Self { stream, chunk: Chunk::default(), failed: false }
    }

    /// The name of the call, by which [`Client::cancel`](crate::awaited::Client::cancel) knows it.
    pub fn id(&self) -> CallId {
        self.stream.id()
    }

    /// Reads what is there into `buffer`; zero is the end.
    pub(crate) fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        while self.chunk.is_empty() && !buffer.is_empty() {
            if self.failed {
                return Poll::Ready(Err(failed_before()));
            }
            let item = ready!(self.stream.poll_next(cx));
            self.failed = item.is_err();
            let Some(item) = item? else { return Poll::Ready(Ok(0)) };
            let before = self.chunk.replace(item);
            self.stream.recycle(before);
        }
        Poll::Ready(Ok(self.chunk.read(buffer)))
    }
}

/// Nothing in it is pinned.
impl<R: Runtime> Unpin for Download<R> {}

impl<R: Runtime> fmt::Debug for Download<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("id", &self.stream.id).finish_non_exhaustive()
    }
}
