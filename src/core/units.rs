//! The units of a one-way stream: messages framed into what one write is given.

use super::wire;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::framing::{Encoded, Framing, FramingError, Room};
use crate::stats::SenderStats;

/// The unit at hand, and how far the message at hand is framed into it.
#[derive(Debug)]
pub(crate) struct Units<F> {
    framing: F,
    room: Room,
    unit: Vec<u8>,
    /// The next byte of the message that is being framed.
    from: usize,
    pub(super) stats: SenderStats,
}

impl<F: Framing> Units<F> {
    pub(crate) fn new(mut framing: F, room: Room, epoch: u64) -> Self {
        framing.begin(epoch);
        Self { framing, room, unit: Vec::new(), from: 0, stats: SenderStats::default() }
    }

    /// Frames as much of `message` as the unit takes; answers whether that is all of it. Where it
    /// is not, the same message is to be given again once the unit is written.
    #[inline]
    pub(crate) fn offer(&mut self, message: &[u8]) -> Result<bool> {
        let encoded = self.framing.encode(message, self.from, &mut self.unit, self.room);
        match encoded.map_err(refused)? {
            Encoded::Whole => {
                self.from = 0;
                self.stats.messages += 1;
                self.stats.bytes += message.len() as u64;
                Ok(true)
            }
            Encoded::Until(from) => {
                self.from = from;
                Ok(false)
            }
        }
    }

    /// Completes the unit, because it is about to be written.
    #[inline]
    pub(crate) fn finish(&mut self) -> &[u8] {
        self.framing.finish(&mut self.unit);
        &self.unit
    }

    /// The unit as it stands.
    #[inline]
    pub(super) fn unit(&self) -> &[u8] {
        &self.unit
    }

    /// The unit is written.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.unit.clear();
    }

    /// How many bytes what is not yet framed of a message of this length will take.
    pub(super) fn rest(&self, length: usize) -> usize {
        self.framing.framed_rest(length, self.from, self.room)
    }

    /// Units grow with the pipe, where nobody else writes to it.
    pub(super) fn fit(&mut self, capacity: usize) {
        if !self.room.shared {
            self.room.bytes = wire::unit_over(capacity);
        }
    }

    /// Forgets the unit and the rest of the message at hand.
    pub(super) fn abandon(&mut self) {
        // The framing must not take the unit for one that it may still add to.
        self.framing.finish(&mut self.unit);
        self.unit.clear();
        self.from = 0;
    }

    /// A new life begins.
    pub(super) fn begin(&mut self, epoch: u64) {
        self.framing.begin(epoch);
    }
}

/// A message that cannot be framed: nothing of it is in the unit.
fn refused(error: FramingError) -> Error {
    let kind = match error {
        FramingError::WouldTear => ErrorKind::WouldTear,
        FramingError::TooLarge => ErrorKind::TooLarge,
        FramingError::ContainsDelimiter => ErrorKind::Codec,
    };
    Error::new(kind, Phase::Encode).with_fate(Fate::NotSent).caused_by(error)
}
