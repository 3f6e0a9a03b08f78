//! Many replies to one request.

use std::any::Any;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use super::responder::{Responder, Shared};
use crate::codec::{self, Codec, Json};
use crate::core::errand::{Answer, SendReply};
use crate::core::session::Session;
use crate::core::streams::{MAX_CHUNK, item_in, item_of};
use crate::deadline::Deadline;
use crate::error::{Error, Phase, Result};

/// Sends many replies to one request, from any thread; see [`Responder::stream`].
///
/// Dropped without an [`end`](Self::end), it tells the caller that the rest will not come.
pub struct ReplySink<Rep, C: Codec<Rep> = Json> {
    shared: Arc<Shared<C>>,
    responder: Responder<Rep, C>,
}

impl<Rep, C: Codec<Rep>> ReplySink<Rep, C> {
    pub(super) fn new(shared: Arc<Shared<C>>, responder: Responder<Rep, C>) -> Self {
        Self { shared, responder }
    }

    /// Sends one reply: waits until the client has room for it, and until the FIFO has accepted
    /// every byte of it. It waits by the caller's [deadline](Self::deadline), and for
    /// [`ServerOptions::reply_timeout`](crate::ServerOptions::reply_timeout) at most.
    ///
    /// # Errors
    /// As [`Responder::send`]; [`ErrorKind::WriteStalled`](crate::ErrorKind::WriteStalled) also
    /// where the client takes no replies. The reply is not sent then, and the next one may be.
    pub fn send(&mut self, reply: &Rep) -> Result<()> {
        let shared = &*self.shared;
        let mut body = item_in(shared.turn.with(|answerer| answerer.spare()));
        codec::encode(&shared.codec, reply, &mut body, shared.max_message)
            .map_err(|error| self.sign(error))?;
        self.send_item(body)
    }

    /// Sends bytes as replies, for a client that [downloads](crate::Call::download) them: 16 KiB at
    /// a time, each as [`send`](Self::send) does.
    pub fn writer(&mut self) -> ReplyWriter<'_, Rep, C> {
        ReplyWriter { sink: self }
    }

    /// Tells the caller that there are no more replies.
    ///
    /// # Errors
    /// As [`Responder::send`].
    pub fn end(self) -> Result<()> {
        self.responder.answer_now(Answer::End)
    }

    /// Tells the caller that its request failed, behind the replies that were sent; see
    /// [`Responder::fail`].
    ///
    /// # Errors
    /// As [`Responder::send`].
    pub fn fail(self, why: impl fmt::Display) -> Result<()> {
        self.responder.fail(why)
    }

    pub(super) fn panicked(self, panic: &(dyn Any + Send)) -> Result<()> {
        self.responder.panicked(panic)
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Deadline {
        self.responder.deadline()
    }

    /// Whether nobody wants any more replies; see [`Responder::is_cancelled`].
    pub fn is_cancelled(&self) -> bool {
        self.responder.is_cancelled()
    }

    fn send_item(&self, item: Vec<u8>) -> Result<()> {
        let term = self.responder.term(&self.shared);
        let now = term.after_encoding(item.len(), Instant::now);
        let sending = SendReply::new(self.responder.asker().caller, item, term.deadline);
        self.shared.turn.run(sending, now, term, Phase::Write)
    }

    fn sign(&self, error: Error) -> Error {
        let placed = self.shared.turn.with(|answerer| answerer.place(error, Phase::Encode));
        self.responder.term(&self.shared).sign(placed, Instant::now())
    }
}

impl<Rep, C: Codec<Rep>> fmt::Debug for ReplySink<Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplySink").field("deadline", &self.deadline()).finish_non_exhaustive()
    }
}

/// Writes bytes as replies; see [`ReplySink::writer`]. Nothing is kept back.
pub struct ReplyWriter<'s, Rep, C: Codec<Rep> = Json> {
    sink: &'s mut ReplySink<Rep, C>,
}

impl<Rep, C: Codec<Rep>> Write for ReplyWriter<'_, Rep, C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(MAX_CHUNK)];
        if !part.is_empty() {
            self.sink.send_item(item_of(part))?;
        }
        Ok(part.len())
    }

    /// Does nothing: nothing is kept back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<Rep, C: Codec<Rep>> fmt::Debug for ReplyWriter<'_, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyWriter").finish_non_exhaustive()
    }
}
