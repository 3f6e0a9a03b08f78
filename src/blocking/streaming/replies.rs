//! Many replies to one call.

use std::fmt;
use std::iter::FusedIterator;
use std::time::Instant;

use super::Stream;
use crate::blocking::Client;
use crate::codec::{Codec, Json};
use crate::core::session::Session;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::front::CallId;

/// The replies to a call that is answered by many; see [`Call::stream`](crate::Call::stream).
///
/// An error ends them, unless it is that one of them cannot be [decoded](ErrorKind::Codec) or is
/// [too large](ErrorKind::TooLarge) while the next may be good. Dropped before their end, they are
/// given up, and the server is told.
pub struct Replies<'c, Req, Rep, C = Json> {
    client: &'c Client<Req, Rep, C>,
    stream: Stream<'c>,
}

impl<'c, Req, Rep, C: Codec<Req> + Codec<Rep>> Replies<'c, Req, Rep, C> {
    pub(super) fn new(client: &'c Client<Req, Rep, C>, stream: Stream<'c>) -> Self {
        Self { client, stream }
    }

    /// The name of the call, by which [`Client::cancel`] knows it.
    pub fn id(&self) -> CallId {
        self.stream.id()
    }

    fn decode(&self, item: Vec<u8>) -> Result<Rep> {
        if item.len() > self.client.max_message {
            let error = Error::new(ErrorKind::TooLarge, Phase::Decode).with_fate(Fate::Delivered);
            let placed = self.stream.turn.with(|caller| caller.place(error, Phase::Reply));
            return Err(self.stream.term.sign(placed, Instant::now()));
        }
        self.client.decode(item, self.stream.term)
    }
}

impl<Req, Rep, C: Codec<Req> + Codec<Rep>> Iterator for Replies<'_, Req, Rep, C> {
    type Item = Result<Rep>;

    fn next(&mut self) -> Option<Result<Rep>> {
        let item = self.stream.next().transpose()?;
        Some(item.and_then(|item| self.decode(item)))
    }
}

impl<Req, Rep, C: Codec<Req> + Codec<Rep>> FusedIterator for Replies<'_, Req, Rep, C> {}

impl<Req, Rep, C> fmt::Debug for Replies<'_, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").field("id", &self.stream.id).finish_non_exhaustive()
    }
}
