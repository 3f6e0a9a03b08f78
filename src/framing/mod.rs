//! Where a message ends: the second of the two axes a FIFO is configured along.
//!
//! [`Native`] frames carry any bytes of any length between fifowire endpoints and anything that
//! speaks `docs/PROTOCOL.md`. [`Lines`] are for everything else: a shell, a log, a script.
//!
//! # A framing of one's own
//!
//! Messages behind a two-byte length, for a peer that speaks nothing else:
//!
//! ```
//! use fifowire::framing::{Decoded, Encoded, Framing, FramingError, Room};
//!
//! #[derive(Clone, Debug)]
//! struct Prefixed;
//!
//! impl Framing for Prefixed {
//!     fn encode(
//!         &mut self, message: &[u8], _from: usize, unit: &mut Vec<u8>, room: Room,
//!     ) -> Result<Encoded, FramingError> {
//!         let length = u16::try_from(message.len()).map_err(|_| FramingError::TooLarge)?;
//!         if unit.len() + 2 + message.len() > room.bytes {
//!             return if unit.is_empty() { Err(FramingError::WouldTear) } else { Ok(Encoded::Until(0)) };
//!         }
//!         unit.extend_from_slice(&length.to_le_bytes());
//!         unit.extend_from_slice(message);
//!         Ok(Encoded::Whole)
//!     }
//!
//!     fn decode(&mut self, unread: &mut [u8]) -> Decoded {
//!         let Some((length, rest)) = unread.split_first_chunk::<2>() else { return Decoded::More };
//!         let length = usize::from(u16::from_le_bytes(*length));
//!         if rest.len() < length { return Decoded::More }
//!         Decoded::Message { body: 2..2 + length, used: 2 + length }
//!     }
//! }
//! ```

mod lines;
mod native;

use std::fmt;
use std::ops::Range;

use crate::core::wire;
use crate::sys;

pub use crate::core::wire::SkipReason;
pub use lines::Lines;
pub use native::Native;

/// Says where a message ends: puts messages into units of bytes, and finds them again.
///
/// A *unit* is what one `write` is given. On an end that others may write to, a unit is at most
/// `PIPE_BUF` bytes, because that is the longest write the kernel keeps in one piece; such a unit
/// must hold whole messages, or pieces that the reader can tell apart from other writers' pieces.
pub trait Framing: Clone + fmt::Debug {
    /// A new life of the endpoint begins, under this random number; bytes of an earlier life may
    /// have been cut off anywhere.
    fn begin(&mut self, epoch: u64) {
        let _ = epoch;
    }

    /// Appends `message`, from byte `from` on, to `unit`, which must not become longer than
    /// `room.bytes`.
    ///
    /// # Errors
    /// The message cannot be framed at all; nothing of it was appended since `from` was zero.
    fn encode(
        &mut self,
        message: &[u8],
        from: usize,
        unit: &mut Vec<u8>,
        room: Room,
    ) -> Result<Encoded, FramingError>;

    /// The unit is about to be written: complete what was left open in it.
    fn finish(&mut self, unit: &mut Vec<u8>) {
        let _ = unit;
    }

    /// How many bytes the rest of a message of `length` bytes, from byte `from` on, takes once it
    /// is framed: what a failed send reports as not written.
    fn framed_rest(&self, length: usize, from: usize, room: Room) -> usize {
        let _ = room;
        length - from
    }

    /// What stands at the start of `unread`, of which there are never more than 64 KiB. It is
    /// called again with the bytes behind `used`, and with more bytes after
    /// [`Decoded::More`].
    fn decode(&mut self, unread: &mut [u8]) -> Decoded;
}

/// How much a unit may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The most bytes a unit may have: `PIPE_BUF` on an end that others may write to (4096 on
    /// Linux), an eighth of the pipe on one that is
    /// held alone, between 8 and 64 KiB.
    pub bytes: usize,
    /// Whether others may write to the same end, so that a unit must be one atomic write.
    pub shared: bool,
}

impl Room {
    /// On an end whose pipe is not known yet: one atomic write where others may write too.
    pub(crate) fn of_end(exclusive: bool) -> Self {
        let bytes = if exclusive { wire::UNIT } else { sys::PIPE_BUF };
        Self { bytes, shared: !exclusive }
    }
}

/// How much of a message went into the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// All of it.
    Whole,
    /// The bytes before this one; the unit is full and the rest goes into the next.
    Until(usize),
}

/// What stands at the start of the unread bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Not enough to say.
    More,
    /// A whole message.
    Message {
        /// Where its bytes stand in the unread bytes.
        body: Range<usize>,
        /// How many unread bytes are done with.
        used: usize,
    },
    /// A part of a longer message.
    Part {
        /// Which message: parts of different keys may interleave.
        key: (u64, u64),
        /// Where in the message the part belongs; `None` for behind the part before.
        offset: Option<usize>,
        /// The length of the whole message, where it is announced.
        total: Option<usize>,
        /// Whether it is the last, where the length is not announced.
        last: bool,
        /// Where its bytes stand in the unread bytes.
        body: Range<usize>,
        /// How many unread bytes are done with.
        used: usize,
    },
    /// Bytes that are of no message.
    Skip {
        /// How many.
        used: usize,
        /// Why, for the counters; `None` where nothing is wrong with them.
        reason: Option<SkipReason>,
    },
}

impl Decoded {
    /// Whether it speaks of some of these many unread bytes: a framing of a user's may be wrong.
    #[inline]
    pub(crate) fn fits(&self, unread: usize) -> bool {
        let (body, used) = match self {
            Self::More => return true,
            Self::Skip { used, .. } => (&(0..0), *used),
            Self::Message { body, used } | Self::Part { body, used, .. } => (body, *used),
        };
        (1..=unread).contains(&used) && body.start <= body.end && body.end <= unread
    }
}

/// Why a message cannot be framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// It must go out in one atomic write, is too long for one, and the framing has no parts that a
    /// reader could tell apart from other writers' bytes.
    #[error("this framing cannot cut a message into parts")]
    WouldTear,
    /// It is longer than the framing can express.
    #[error("the message is longer than the framing can express")]
    TooLarge,
    /// It contains the byte that ends a message.
    #[error("the message contains the byte that ends a message")]
    ContainsDelimiter,
}
