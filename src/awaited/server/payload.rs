//! Bytes that a request brings beside its message.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::context::Interest;
use crate::core::server::Asker;
use crate::error::Result;
use crate::front::{Chunk, failed_before};

/// The bytes that a request brings beside its message, an `AsyncRead` of tokio and of futures-io;
/// the awaited form of [`Payload`](crate::Payload).
///
/// # Cancel safety
/// A read that is dropped while it waits has taken no byte.
pub struct Payload {
    interest: Arc<dyn Interest>,
    asker: Asker,
    chunk: Chunk,
    /// The wait for the next part.
    next: Option<NextPart>,
    over: bool,
    failed: bool,
}

/// The next part, or the end of them.
pub(super) type NextPart = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>>> + Send>>;

impl Payload {
    pub(super) fn new(interest: Arc<dyn Interest>, asker: Asker) -> Self {
        let over = !asker.options.upload;
        Self { interest, asker, chunk: Chunk::default(), next: None, over, failed: false }
    }

    /// Reads what is there into `buffer`; zero is the end.
    pub(crate) fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { interest, asker, chunk, next, over, failed } = self;
        while chunk.is_empty() && !buffer.is_empty() && !*over {
            if *failed {
                return Poll::Ready(Err(failed_before()));
            }
            let wait = next.get_or_insert_with(|| Arc::clone(interest).next_part(*asker));
            let part = ready!(wait.as_mut().poll(cx));
            *next = None;
            *failed = part.is_err();
            match part? {
                Some(part) => drop(chunk.replace(part)),
                None => *over = true,
            }
        }
        Poll::Ready(Ok(chunk.read(buffer)))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").finish_non_exhaustive()
    }
}
