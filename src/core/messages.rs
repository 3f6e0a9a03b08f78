//! The messages in a one-way stream: whole ones, parts, and what is skipped in between.

use std::ops::Range;

use super::assembly::{Added, Assembly, Part};
use super::buffer::Buffer;
use super::wire::SkipReason;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::framing::{Decoded, Framing};
use crate::stats::ReceiverStats;

/// Unread bytes, and the messages in them.
#[derive(Debug)]
pub(crate) struct Messages<F> {
    pub(super) buffer: Buffer,
    framing: F,
    pub(super) assembly: Assembly,
    limit: usize,
    /// Bytes skipped since the last frame: beyond the window, the stream is not what we think.
    astray: usize,
    pub(crate) stats: ReceiverStats,
}

/// Where a message was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// In the window, at this range of positions.
    Window(Range<usize>),
    /// Put together from parts.
    Assembled,
}

/// The bytes of a message.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    Borrowed(&'a [u8]),
    /// May be taken.
    Owned(&'a mut Vec<u8>),
}

impl<F: Framing> Messages<F> {
    pub(crate) fn new(framing: F, limit: usize) -> Self {
        Self {
            buffer: Buffer::default(),
            framing,
            assembly: Assembly::new(limit),
            limit,
            astray: 0,
            stats: ReceiverStats::default(),
        }
    }

    /// Takes as many of `bytes` as there is room for; answers how many. There is room whenever
    /// [`next`](Self::next) has found nothing.
    #[cfg(feature = "codec")]
    pub(crate) fn take(&mut self, bytes: &[u8]) -> usize {
        self.buffer.take(bytes)
    }

    /// Bytes skipped since the last message.
    pub(super) fn astray(&self) -> usize {
        self.astray
    }

    pub(crate) fn message(&mut self, found: Found) -> Message<'_> {
        match found {
            Found::Window(range) => Message::Borrowed(self.buffer.consumed(range)),
            Found::Assembled => Message::Owned(self.assembly.done()),
        }
    }

    /// The next message among the unread bytes. Bytes that lead to an error are consumed, so that
    /// the next call goes on behind them.
    pub(crate) fn next(&mut self) -> Result<Option<Found>> {
        while !self.buffer.is_empty() {
            let at = self.buffer.position();
            let unread = self.buffer.unread();
            let (len, decoded) = (unread.len(), self.framing.decode(unread));
            if !decoded.fits(len) {
                self.buffer.clear();
                return Err(Error::new(ErrorKind::Torn, Phase::Read)
                    .detailed("the framing speaks of bytes that are not there"));
            }
            match decoded {
                Decoded::More => return self.more(),
                Decoded::Skip { used, reason } => {
                    self.buffer.consume(used);
                    self.skipped(used, reason)?;
                }
                Decoded::Message { body, used } => {
                    self.buffer.consume(used);
                    self.astray = 0;
                    if body.len() > self.limit {
                        return Err(self.too_large());
                    }
                    self.stats.messages += 1;
                    self.stats.bytes += body.len() as u64;
                    return Ok(Some(Found::Window(at + body.start..at + body.end)));
                }
                Decoded::Part { key, offset, total, last, body, used } => {
                    self.buffer.consume(used);
                    self.astray = 0;
                    let bytes = self.buffer.consumed(at + body.start..at + body.end);
                    let part = Part { key, offset, total, bytes, last };
                    let (added, dropped) = self.assembly.add(part);
                    self.stats.torn += dropped as u64;
                    if self.added(added)? {
                        return Ok(Some(Found::Assembled));
                    }
                }
            }
        }
        Ok(None)
    }

    fn added(&mut self, added: Added) -> Result<bool> {
        match added {
            Added::Open => Ok(false),
            Added::Complete => {
                self.stats.messages += 1;
                self.stats.bytes += self.assembly.done().len() as u64;
                Ok(true)
            }
            Added::Torn => {
                self.stats.torn += 1;
                Ok(false)
            }
            Added::TooLarge => Err(self.too_large()),
        }
    }

    /// The framing wants more bytes than there are.
    fn more(&mut self) -> Result<Option<Found>> {
        if !self.buffer.is_full() {
            return Ok(None);
        }
        // No framing of ours needs more than the window; one of a user's may.
        self.buffer.clear();
        self.stats.torn += 1;
        Err(Error::new(ErrorKind::TooLarge, Phase::Read)
            .detailed("a unit of the framing is longer than 64 KiB"))
    }

    fn skipped(&mut self, used: usize, reason: Option<SkipReason>) -> Result<()> {
        match reason {
            None => return Ok(()),
            Some(SkipReason::Garbage) => {}
            Some(SkipReason::Torn) => self.stats.torn += 1,
            Some(SkipReason::Unknown) => self.stats.unknown += 1,
        }
        self.stats.skipped_bytes += used as u64;
        self.astray += used;
        if self.astray <= Buffer::CAPACITY {
            return Ok(());
        }
        self.astray = 0;
        Err(Error::new(ErrorKind::Torn, Phase::Read)
            .detailed("64 KiB without a frame: the writer does not speak this protocol"))
    }

    fn too_large(&mut self) -> Error {
        self.stats.too_large += 1;
        Error::new(ErrorKind::TooLarge, Phase::Read)
            .detailed(format!("the limit is {} bytes", self.limit))
    }

    /// The stream has ended, and everything in it was asked for. What was begun is torn.
    pub(crate) fn end(&mut self) -> Result<()> {
        if self.discard() {
            return Err(Error::new(ErrorKind::Torn, Phase::Read)
                .detailed("the writers left inside a message"));
        }
        Ok(())
    }

    /// The memory taken for what has come, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        self.buffer.held() + self.assembly.held() + self.assembly.kept()
    }

    /// Drops what was begun; answers whether there was anything.
    pub(super) fn discard(&mut self) -> bool {
        let begun = !self.buffer.is_empty() || !self.assembly.is_idle();
        self.buffer.clear();
        self.assembly = Assembly::new(self.limit);
        self.framing.begin(0);
        self.stats.torn += u64::from(begun);
        begun
    }
}
