//! Bytes that a call brings.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{AtClient, Stream};
use crate::awaited::hub::Visit;
use crate::awaited::{Client, Runtime};
use crate::codec::{Codec, Json};
use crate::core::errand::{Calling, Ended, SendPart};
use crate::core::event::Event;
use crate::core::streams::{MAX_CHUNK, item_of};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::front::CallId;

/// A call that brings bytes, an `AsyncWrite` of its runtime; see
/// [`Call::upload`](crate::awaited::Call::upload).
///
/// A write takes up to 16 KiB, which are on their way from then on; the next write, a flush and
/// [`finish`](Self::finish) wait until the server had room for them and the FIFO has accepted them,
/// by the deadline of the call. A server that fails the call before the end of the bytes makes the
/// next write fail with that error; one that answers before the end makes it fail as a [broken
/// pipe](io::ErrorKind::BrokenPipe), and `finish` has the reply. Dropped, it gives the call up, and
/// the server is told.
///
/// # Cancel safety
/// A write that is dropped while it waits has taken no byte.
pub struct Upload<R: Runtime, Req, Rep, C = Json> {
    client: Client<R, Req, Rep, C>,
    stream: Stream<R>,
    sending: Option<AtClient<R, SendPart>>,
    calling: Option<AtClient<R, Calling>>,
    /// What the server has answered before the end of the bytes.
    reply: Option<Event>,
}

impl<R: Runtime, Req, Rep, C: Codec<Req> + Codec<Rep>> Upload<R, Req, Rep, C> {
    pub(super) fn new(client: Client<R, Req, Rep, C>, stream: Stream<R>) -> Self {
        Self { client, stream, sending: None, calling: None, reply: None }
    }

    /// The name of the call, by which [`Client::cancel`] knows it.
    pub fn id(&self) -> CallId {
        self.stream.id()
    }

    /// Says that these were all bytes, and waits for the reply.
    ///
    /// # Errors
    /// As [`Upload::finish`](crate::Upload::finish).
    ///
    /// # Cancel safety
    /// The call is given up.
    pub async fn finish(mut self) -> Result<Rep> {
        poll_fn(|cx| self.poll_sent(cx)).await?;
        if !self.stream.over {
            self.send(None);
            poll_fn(|cx| self.poll_sent(cx)).await?;
            poll_fn(|cx| self.poll_reply(cx)).await?;
        }
        match self.reply.take() {
            Some(reply) => self.client.decode(reply.body, self.stream.term),
            None => {
                let closed = Error::new(ErrorKind::Closed, Phase::Reply);
                Err(self.client.hub.sign(closed, Phase::Reply, self.stream.term))
            }
        }
    }

    /// Sends everything that `read` reads, and finishes.
    pub(crate) async fn fill(
        mut self,
        mut read: impl FnMut(&mut Context<'_>, &mut [u8]) -> Poll<io::Result<usize>>,
    ) -> Result<Rep> {
        let mut part = vec![0; MAX_CHUNK];
        loop {
            poll_fn(|cx| self.poll_sent(cx)).await?;
            if self.stream.over {
                return self.finish().await;
            }
            let Stream { hub, id, term, .. } = &self.stream;
            // A source that takes its time is not waited for where the call has ended meanwhile.
            let mut ended = hub.run(Ended::new(*id, term.deadline), *term, Phase::Reply);
            let read = poll_fn(|cx| match read(cx, &mut part) {
                Poll::Pending => Pin::new(&mut ended).poll(cx).map(|_| None),
                Poll::Ready(read) => Poll::Ready(Some(read)),
            });
            let read = read.await;
            drop(ended);
            let Some(read) = read else {
                poll_fn(|cx| self.poll_reply(cx)).await?;
                continue;
            };
            match read {
                Ok(0) => return self.finish().await,
                Ok(count) => self.send(Some(item_of(&part[..count]))),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let error = Error::system(error, Phase::Stream);
                    return Err(self.client.hub.sign(error, Phase::Reply, self.stream.term));
                }
            }
        }
    }

    /// A part, or the end of them, is on its way.
    fn send(&mut self, part: Option<Vec<u8>>) {
        let Stream { hub, id, term, .. } = &self.stream;
        let sending = SendPart::new(*id, part, term.deadline);
        self.sending = Some(Visit::new(hub.clone(), sending, *term, Phase::Write));
    }

    /// Waits until what is on its way is written. Where the call has ended before, its reply is
    /// kept.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Some(sending) = &mut self.sending {
            let sent = ready!(self.stream.span.enter(|| Pin::new(sending).poll(cx)));
            self.sending = None;
            self.stream.over = sent.is_err();
            if sent? {
                return Poll::Ready(Ok(()));
            }
            let Stream { hub, id, term, .. } = &self.stream;
            let calling = Calling::begun(*id, term.deadline);
            self.calling = Some(Visit::new(hub.clone(), calling, *term, Phase::Reply));
        }
        match self.calling {
            Some(_) => self.poll_reply(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Self { stream, calling, reply, .. } = self;
        if stream.over {
            return Poll::Ready(Ok(()));
        }
        let Stream { hub, id, span, term, .. } = &stream;
        let begin = || {
            let calling = Calling::begun(*id, term.deadline);
            Visit::new(hub.clone(), calling, *term, Phase::Reply)
        };
        let wait = calling.get_or_insert_with(begin);
        let answer = ready!(span.enter(|| Pin::new(wait).poll(cx)));
        *calling = None;
        stream.over = true;
        *reply = Some(answer?);
        Poll::Ready(Ok(()))
    }

    /// Takes as much of `bytes` as travels at once.
    pub(crate) fn poll_write_from(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_sent(cx))?;
        if self.stream.over {
            let words = "the server has answered before the end: finish has its reply";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, words)));
        }
        let part = &bytes[..bytes.len().min(MAX_CHUNK)];
        if !part.is_empty() {
            self.send(Some(item_of(part)));
            // What becomes of it is for the next to find out.
            if let Poll::Ready(Err(error)) = self.poll_sent(cx) {
                return Poll::Ready(Err(error.into()));
            }
        }
        Poll::Ready(Ok(part.len()))
    }

    /// Waits until what was taken is written.
    pub(crate) fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_sent(cx).map_err(Into::into)
    }
}

/// Nothing in it is pinned.
impl<R: Runtime, Req, Rep, C> Unpin for Upload<R, Req, Rep, C> {}

impl<R: Runtime, Req, Rep, C> fmt::Debug for Upload<R, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("id", &self.stream.id).finish_non_exhaustive()
    }
}
