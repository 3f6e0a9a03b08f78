//! Many replies to one request.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use super::responder::{Machine, Responder, Shared};
use crate::awaited::Runtime;
use crate::awaited::hub::{Handle, Visit};
use crate::codec::{self, Codec, Json};
use crate::core::errand::{Answer, SendReply};
use crate::core::server::Asker;
use crate::core::streams::{MAX_CHUNK, item_in, item_of};
use crate::deadline::Deadline;
use crate::error::{Phase, Result};
use crate::front::Term;

/// Sends many replies to one request, from any task; the awaited form of
/// [`ReplySink`](crate::ReplySink).
///
/// Dropped without an [`end`](Self::end), it tells the caller that the rest will not come, unless
/// it was given to a handler of [`serve_streams`](super::Server::serve_streams), whose return is
/// the end.
pub struct ReplySink<R: Runtime, Rep, C: Codec<Rep> = Json> {
    shared: Arc<Shared<R, C>>,
    asker: Asker,
    /// Bytes that are on their way.
    sending: Option<Sending<R>>,
    last: Last<R, Rep, C>,
}

type Sending<R> = Visit<Handle<R, Machine<R>>, R, Machine<R>, SendReply>;

/// Who says the last word, until it is said: the sink, or the server whose handler has it.
pub(super) struct Last<R: Runtime, Rep, C: Codec<Rep>>(Arc<Mutex<Option<Responder<R, Rep, C>>>>);

impl<R: Runtime, Rep, C: Codec<Rep>> Last<R, Rep, C> {
    pub(super) fn take(&self) -> Option<Responder<R, Rep, C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Runtime, Rep, C: Codec<Rep>> ReplySink<R, Rep, C> {
    pub(super) fn new(
        shared: Arc<Shared<R, C>>,
        asker: Asker,
        responder: Responder<R, Rep, C>,
    ) -> Self {
        let last = Last(Arc::new(Mutex::new(Some(responder))));
        Self { shared, asker, sending: None, last }
    }

    /// For a server that says the last word once its handler has returned.
    pub(super) fn last(&self) -> Last<R, Rep, C> {
        self.last.share()
    }

    /// Sends one reply: waits until the client has room for it, and until the FIFO has accepted
    /// every byte of it.
    ///
    /// # Errors
    /// As [`ReplySink::send`](crate::ReplySink::send).
    ///
    /// # Cancel safety
    /// The reply is not sent, unless all of it was accepted already; the next may be.
    pub async fn send(&mut self, reply: &Rep) -> Result<()> {
        poll_fn(|cx| self.poll_sent(cx)).await?;
        let Self { shared, asker, .. } = &*self;
        let term = self.term();
        let mut body = item_in(shared.hub.with(|answerer| answerer.spare()));
        codec::encode(&shared.codec, reply, &mut body, shared.max_message)
            .map_err(|error| shared.hub.sign(error, Phase::Encode, term))?;
        let sending = SendReply::new(asker.caller, body, term.deadline);
        shared.hub.run(sending, term, Phase::Write).await
    }

    /// Sends bytes as replies, for a client that [downloads](crate::awaited::Call::download) them:
    /// 16 KiB at a time, each on its way once it is taken.
    pub fn writer(&mut self) -> ReplyWriter<'_, R, Rep, C> {
        ReplyWriter { sink: self }
    }

    /// Tells the caller that there are no more replies.
    ///
    /// # Errors
    /// As [`Responder::send`].
    ///
    /// # Cancel safety
    /// The caller is told that the rest will not come, unless all was accepted already.
    pub async fn end(mut self) -> Result<()> {
        poll_fn(|cx| self.poll_sent(cx)).await?;
        match self.last.take() {
            Some(responder) => responder.answer_now(Answer::End).await,
            None => Ok(()),
        }
    }

    /// Tells the caller that its request failed, behind the replies that were sent.
    ///
    /// # Errors
    /// As [`Responder::send`].
    ///
    /// # Cancel safety
    /// As [`end`](Self::end).
    pub async fn fail(mut self, why: impl fmt::Display) -> Result<()> {
        poll_fn(|cx| self.poll_sent(cx)).await?;
        match self.last.take() {
            Some(responder) => responder.fail(why).await,
            None => Ok(()),
        }
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Deadline {
        self.asker.deadline
    }

    /// Whether nobody wants any more replies.
    pub fn is_cancelled(&self) -> bool {
        self.shared.hub.with(|answerer| answerer.is_settled(self.asker.caller))
    }

    fn term(&self) -> Term {
        let reply_by = Term::timeout(self.shared.hub.now(), self.shared.timeout);
        Term { deadline: reply_by.deadline.earlier(self.asker.deadline), ..reply_by }
    }

    /// Waits until the bytes that are on their way are written.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(sending) = &mut self.sending else { return Poll::Ready(Ok(())) };
        let sent = ready!(Pin::new(sending).poll(cx));
        self.sending = None;
        if sent.is_err() {
            // What is missing now is not made good by what would follow.
            drop(self.last.take());
        }
        Poll::Ready(sent)
    }
}

impl<R: Runtime, Rep, C: Codec<Rep>> Drop for ReplySink<R, Rep, C> {
    fn drop(&mut self) {
        // Bytes that were taken, and are not written, are missing: nobody may say that this was
        // all.
        if self.sending.take().is_some() {
            drop(self.last.take());
        }
    }
}

/// Nothing in it is pinned.
impl<R: Runtime, Rep, C: Codec<Rep>> Unpin for ReplySink<R, Rep, C> {}

impl<R: Runtime, Rep, C: Codec<Rep>> fmt::Debug for ReplySink<R, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplySink").field("deadline", &self.deadline()).finish_non_exhaustive()
    }
}

/// Writes bytes as replies, an `AsyncWrite` of its runtime; see [`ReplySink::writer`].
///
/// A write takes up to 16 KiB, which are on their way from then on; the next write, a flush, and
/// whatever the sink does next wait until the client had room for them and the FIFO has accepted
/// them. A stream of which that fails ends as one that was dropped.
///
/// # Cancel safety
/// A write that is dropped while it waits has taken no byte.
pub struct ReplyWriter<'s, R: Runtime, Rep, C: Codec<Rep> = Json> {
    sink: &'s mut ReplySink<R, Rep, C>,
}

impl<R: Runtime, Rep, C: Codec<Rep>> ReplyWriter<'_, R, Rep, C> {
    /// Takes as much of `bytes` as travels at once.
    pub(crate) fn poll_write_from(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sink = &mut *self.sink;
        ready!(sink.poll_sent(cx))?;
        let part = &bytes[..bytes.len().min(MAX_CHUNK)];
        if !part.is_empty() {
            let term = sink.term();
            let sending = SendReply::new(sink.asker.caller, item_of(part), term.deadline);
            sink.sending = Some(Visit::new(sink.shared.hub.clone(), sending, term, Phase::Write));
            // What becomes of it is for the next to find out.
            if let Poll::Ready(Err(error)) = sink.poll_sent(cx) {
                return Poll::Ready(Err(error.into()));
            }
        }
        Poll::Ready(Ok(part.len()))
    }

    /// Waits until what was taken is written.
    pub(crate) fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sink.poll_sent(cx).map_err(Into::into)
    }
}

impl<R: Runtime, Rep, C: Codec<Rep>> fmt::Debug for ReplyWriter<'_, R, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyWriter").finish_non_exhaustive()
    }
}
