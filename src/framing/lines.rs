//! One message a line: what shells, scripts and logs speak.

use std::ops::Range;

use super::{Decoded, Encoded, Framing, FramingError, Room};

/// A message is the bytes up to a newline; the newline is not part of it.
///
/// A message that contains a newline is refused, never split (JSON escapes its own). A carriage
/// return before the newline is kept: a message is its bytes. On an end that others may write to,
/// a line must fit into one atomic write, newline included (`PIPE_BUF`: 4096 bytes on Linux);
/// longer ones need an end held alone. The end of the stream ends no line: a writer may open, write
/// and close for every piece of one, so a writer that dies inside a line leaves its beginning to
/// the next. Where that matters, use [`Native`](super::Native).
#[derive(Clone, Copy, Debug, Default)]
pub struct Lines {
    /// Unread bytes that hold no newline, so that a long line is searched once.
    searched: usize,
    /// Whether the line in progress has handed out a part already.
    inside: bool,
}

impl Lines {
    /// The key of the only line that can be in progress.
    const KEY: (u64, u64) = (0, 0);

    fn part(&mut self, body: Range<usize>, used: usize, last: bool) -> Decoded {
        self.searched = 0;
        self.inside = !last;
        Decoded::Part { key: Self::KEY, offset: None, total: None, last, body, used }
    }
}

impl Framing for Lines {
    fn encode(
        &mut self,
        message: &[u8],
        from: usize,
        unit: &mut Vec<u8>,
        room: Room,
    ) -> Result<Encoded, FramingError> {
        if from == 0 && memchr::memchr(b'\n', message).is_some() {
            return Err(FramingError::ContainsDelimiter);
        }
        let free = room.bytes.saturating_sub(unit.len());
        let rest = &message[from..];
        if rest.len() < free {
            unit.extend_from_slice(rest);
            unit.push(b'\n');
            return Ok(Encoded::Whole);
        }
        if room.shared {
            // A line that has a unit to itself and does not fit will never fit.
            return if unit.is_empty() {
                Err(FramingError::WouldTear)
            } else {
                Ok(Encoded::Until(from))
            };
        }
        unit.extend_from_slice(&rest[..free]);
        Ok(Encoded::Until(from + free))
    }

    fn decode(&mut self, unread: &mut [u8]) -> Decoded {
        match memchr::memchr(b'\n', &unread[self.searched..]) {
            Some(at) => {
                let end = self.searched + at;
                self.searched = 0;
                if self.inside {
                    return self.part(0..end, end + 1, true);
                }
                Decoded::Message { body: 0..end, used: end + 1 }
            }
            None if unread.len() == crate::core::buffer::Buffer::CAPACITY => {
                self.part(0..unread.len(), unread.len(), false)
            }
            None => {
                self.searched = unread.len();
                Decoded::More
            }
        }
    }

    fn framed_rest(&self, length: usize, from: usize, _room: Room) -> usize {
        length - from + 1
    }

    fn begin(&mut self, _epoch: u64) {
        *self = Self::default();
    }
}
