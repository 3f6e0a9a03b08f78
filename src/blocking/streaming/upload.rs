//! Bytes that a call brings.

use std::fmt;
use std::io::{self, Read, Write};
use std::time::Instant;

use super::Stream;
use crate::blocking::Client;
use crate::codec::{Codec, Json};
use crate::core::errand::{Calling, SendPart};
use crate::core::event::Event;
use crate::core::session::Session;
use crate::core::streams::{MAX_CHUNK, item_of};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::front::CallId;

/// A call that brings bytes; see [`Call::upload`](crate::Call::upload).
///
/// A write waits until the server has room for the bytes and the FIFO has accepted them, by the
/// deadline of the call; each carries at most 16 KiB. A server that fails the call before the end
/// of the bytes makes the next write fail with that error; one that answers before the end makes it
/// fail as a [broken pipe](io::ErrorKind::BrokenPipe), and [`finish`](Self::finish) has the reply.
/// Dropped, it gives the call up, and the server is told.
pub struct Upload<'c, Req, Rep, C = Json> {
    client: &'c Client<Req, Rep, C>,
    stream: Stream<'c>,
    /// What the server has answered before the end of the bytes.
    reply: Option<Event>,
}

impl<'c, Req, Rep, C: Codec<Req> + Codec<Rep>> Upload<'c, Req, Rep, C> {
    pub(super) fn new(client: &'c Client<Req, Rep, C>, stream: Stream<'c>) -> Self {
        Self { client, stream, reply: None }
    }

    /// The name of the call, by which [`Client::cancel`] knows it.
    pub fn id(&self) -> CallId {
        self.stream.id()
    }

    /// Says that these were all bytes, and waits for the reply.
    ///
    /// # Errors
    /// As [`Client::call`]; [`ErrorKind::Closed`] where a write has failed with the error of the
    /// call.
    pub fn finish(mut self) -> Result<Rep> {
        if !self.has_ended() {
            self.send(None)?;
            if self.reply.is_none() {
                self.await_reply()?;
            }
        }
        match self.reply.take() {
            Some(reply) => self.client.decode(reply.body, self.stream.term),
            None => Err(self.sign(Error::new(ErrorKind::Closed, Phase::Reply))),
        }
    }

    /// Sends everything that `bytes` reads, and finishes.
    pub(super) fn fill(mut self, mut bytes: impl Read) -> Result<Rep> {
        let mut part = vec![0; MAX_CHUNK];
        while !self.has_ended() {
            let count = match bytes.read(&mut part) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.sign(Error::system(error, Phase::Stream))),
            };
            self.send(Some(item_of(&part[..count])))?;
        }
        self.finish()
    }

    /// Whether the call has ended, by a reply or an error.
    fn has_ended(&self) -> bool {
        self.stream.over
    }

    /// Sends a part, or the end of them. Where the call has ended before, its reply is kept.
    fn send(&mut self, part: Option<Vec<u8>>) -> Result<()> {
        let Stream { turn, id, term, .. } = self.stream;
        let sending = SendPart::new(id, part, term.deadline);
        let sent = self.stream.span.enter(|| turn.run(sending, Instant::now(), term, Phase::Write));
        match sent {
            Ok(true) => Ok(()),
            Ok(false) => self.await_reply(),
            Err(error) => {
                self.stream.over = true;
                Err(error)
            }
        }
    }

    fn await_reply(&mut self) -> Result<()> {
        let Stream { turn, id, term, .. } = self.stream;
        let calling = Calling::begun(id, term.deadline);
        let wait = || turn.run(calling, Instant::now(), term, Phase::Reply);
        self.stream.over = true;
        self.reply = Some(self.stream.span.enter(wait)?);
        Ok(())
    }

    fn sign(&self, error: Error) -> Error {
        let placed = self.stream.turn.with(|caller| caller.place(error, Phase::Reply));
        self.stream.term.sign(placed, Instant::now())
    }
}

impl<Req, Rep, C: Codec<Req> + Codec<Rep>> Write for Upload<'_, Req, Rep, C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if !self.has_ended() {
            let part = &bytes[..bytes.len().min(MAX_CHUNK)];
            self.send(Some(item_of(part)))?;
            if !self.has_ended() {
                return Ok(part.len());
            }
        }
        let words = "the server has answered before the end: finish has its reply";
        Err(io::Error::new(io::ErrorKind::BrokenPipe, words))
    }

    /// Does nothing: nothing is kept back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<Req, Rep, C> fmt::Debug for Upload<'_, Req, Rep, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("id", &self.stream.id).finish_non_exhaustive()
    }
}
