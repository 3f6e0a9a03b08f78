//! Many replies to one call.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::stream::{FusedStream, Stream as Items};

use super::Stream;
use crate::awaited::{Client, Runtime};
use crate::codec::{Codec, Json};
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::front::CallId;

/// The replies to a call that is answered by many, as a stream; see
/// [`Call::stream`](crate::awaited::Call::stream).
///
/// An error ends them, unless it is that one of them cannot be [decoded](ErrorKind::Codec) or is
/// [too large](ErrorKind::TooLarge) while the next may be good. Dropped before their end, they are
/// given up, and the server is told.
///
/// # Cancel safety
/// No reply is lost by a wait for the next that is dropped.
pub struct Replies<R: Runtime, Req, Rep, C = Json> {
    client: Client<R, Req, Rep, C>,
    stream: Stream<R>,
}

impl<R: Runtime, Req, Rep, C: Codec<Req> + Codec<Rep>> Replies<R, Req, Rep, C> {
    pub(super) fn new(client: Client<R, Req, Rep, C>, stream: Stream<R>) -> Self {
        Self { client, stream }
    }

    /// The name of the call, by which [`Client::cancel`] knows it.
    pub fn id(&self) -> CallId {
        self.stream.id()
    }

    fn decode(&self, item: Vec<u8>) -> Result<Rep> {
        if item.len() > self.client.max_message {
            let error = Error::new(ErrorKind::TooLarge, Phase::Decode).with_fate(Fate::Delivered);
            return Err(self.client.hub.sign(error, Phase::Reply, self.stream.term));
        }
        self.client.decode(item, self.stream.term)
    }
}

impl<R: Runtime, Req, Rep, C: Codec<Req> + Codec<Rep>> Items for Replies<R, Req, Rep, C> {
    type Item = Result<Rep>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Rep>>> {
        let item = ready!(self.stream.poll_next(cx)).transpose();
        Poll::Ready(item.map(|item| item.and_then(|item| self.decode(item))))
    }
}

impl<R: Runtime, Req, Rep, C: Codec<Req> + Codec<Rep>> FusedStream for Replies<R, Req, Rep, C> {
    fn is_terminated(&self) -> bool {
        self.stream.over
    }
}

/// Nothing in it is pinned.
impl<R: Runtime, Req, Rep, C> Unpin for Replies<R, Req, Rep, C> {}

impl<R: Runtime, Req, Rep, C> fmt::Debug for Replies<R, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").field("id", &self.stream.id).finish_non_exhaustive()
    }
}
