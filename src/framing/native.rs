//! The native frames, carrying one-way messages.
//!
//! Small messages share a frame, each behind its length, so that a batch costs one header, one
//! checksum and one write. A message that does not fit into a frame travels as parts.

use super::{Decoded, Encoded, Framing, FramingError, Room, SkipReason};
use crate::core::wire::{
    self, Flags, HEADER_LEN, Header, Kind, MASK_LEN, PART_LEN, Scan, Scanner, TRAILER_LEN,
};

/// Frames that carry any bytes of any length: checked, resynchronising, and safe to interleave
/// with those of other writers.
///
/// The format is `docs/PROTOCOL.md`, version 1.
#[derive(Clone, Debug, Default)]
pub struct Native {
    epoch: u64,
    last_id: u64,
    /// Where the data frame that takes further small messages starts in the unit.
    open: Option<usize>,
    scanner: Scanner,
    /// Payload bytes of the checked data frame at the start of the unread bytes.
    batch: Option<usize>,
}

/// Bytes of the length before each message in a data frame.
const LENGTH_LEN: usize = 4;

/// What a frame takes around its payload, with room for a mask should it need one.
const OVERHEAD: usize = HEADER_LEN + MASK_LEN + TRAILER_LEN;

impl Native {
    fn header(&mut self, part: bool) -> Header {
        let flags = Flags { part, masked: false };
        Header { kind: Kind::Data, flags, epoch: self.epoch, to: 0, id: self.last_id }
    }

    /// Adds a small message to the open data frame, or to a new one.
    #[inline]
    fn encode_small(&mut self, message: &[u8], unit: &mut Vec<u8>, room: Room) -> Encoded {
        let item = LENGTH_LEN + message.len();
        let (begun, around) = match self.open {
            Some(_) => (true, MASK_LEN + TRAILER_LEN),
            None => (false, OVERHEAD),
        };
        if unit.len() + around + item > room.bytes {
            return Encoded::Until(0);
        }
        if !begun {
            self.last_id = wire::next_id(self.last_id);
            let header = self.header(false);
            self.open = Some(wire::begin(unit, header));
        }
        unit.extend_from_slice(&(message.len() as u32).to_le_bytes());
        unit.extend_from_slice(message);
        Encoded::Whole
    }

    /// Writes the next part of a long message into a unit of its own.
    fn encode_part(
        &mut self,
        message: &[u8],
        from: usize,
        unit: &mut Vec<u8>,
        room: Room,
    ) -> Encoded {
        if !unit.is_empty() {
            return Encoded::Until(from);
        }
        if from == 0 {
            self.last_id = wire::next_id(self.last_id);
        }
        let take = part_room(room).min(message.len() - from);
        let header = self.header(true);
        let start = wire::begin(unit, header);
        unit.extend_from_slice(&(from as u32).to_le_bytes());
        unit.extend_from_slice(&(message.len() as u32).to_le_bytes());
        unit.extend_from_slice(&message[from..from + take]);
        wire::seal(unit, start);
        match from + take {
            end if end == message.len() => Encoded::Whole,
            end => Encoded::Until(end),
        }
    }

    /// The next message of the data frame in progress, of whose payload `left` bytes are unread.
    #[inline]
    fn decode_batch(&mut self, unread: &[u8], left: usize) -> Decoded {
        if left == 0 {
            self.batch = None;
            return Decoded::Skip { used: TRAILER_LEN, reason: None };
        }
        let length = unread[..left].first_chunk::<LENGTH_LEN>().map(|l| u32::from_le_bytes(*l));
        match length.map(|length| length as usize) {
            Some(length) if length <= left - LENGTH_LEN => {
                let used = LENGTH_LEN + length;
                self.batch = Some(left - used);
                Decoded::Message { body: LENGTH_LEN..used, used }
            }
            // The checksum held, so whoever wrote the frame wrote a length that is wrong.
            _ => {
                self.batch = None;
                Decoded::Skip { used: left + TRAILER_LEN, reason: Some(SkipReason::Unknown) }
            }
        }
    }
}

/// Bytes of a message in a part.
fn part_room(room: Room) -> usize {
    room.bytes - OVERHEAD - PART_LEN
}

impl Framing for Native {
    fn begin(&mut self, epoch: u64) {
        *self = Self { epoch, ..Self::default() };
    }

    #[inline]
    fn encode(
        &mut self,
        message: &[u8],
        from: usize,
        unit: &mut Vec<u8>,
        room: Room,
    ) -> Result<Encoded, FramingError> {
        if u32::try_from(message.len()).is_err() {
            return Err(FramingError::TooLarge);
        }
        let small = OVERHEAD + LENGTH_LEN + message.len() <= room.bytes;
        Ok(match small {
            true => self.encode_small(message, unit, room),
            false => self.encode_part(message, from, unit, room),
        })
    }

    fn framed_rest(&self, length: usize, from: usize, room: Room) -> usize {
        let rest = length - from;
        let small = OVERHEAD + LENGTH_LEN + length <= room.bytes;
        let (frames, before) = match small {
            true => (1, LENGTH_LEN),
            false => (rest.div_ceil(part_room(room)), PART_LEN),
        };
        rest + frames * (HEADER_LEN + TRAILER_LEN + before)
    }

    fn finish(&mut self, unit: &mut Vec<u8>) {
        if let Some(start) = self.open.take() {
            wire::seal(unit, start);
        }
    }

    #[inline]
    fn decode(&mut self, unread: &mut [u8]) -> Decoded {
        if let Some(left) = self.batch {
            return self.decode_batch(unread, left);
        }
        let (header, payload, used) = match self.scanner.scan(unread) {
            Scan::More => return Decoded::More,
            Scan::Skip { used, reason } => return Decoded::Skip { used, reason: Some(reason) },
            Scan::Frame { header, payload, used } => (header, payload, used),
        };
        if header.kind != Kind::Data {
            return Decoded::Skip { used, reason: Some(SkipReason::Unknown) };
        }
        if !header.flags.part {
            self.batch = Some(payload.len());
            return Decoded::Skip { used: payload.start, reason: None };
        }
        match wire::split_part(&unread[payload.clone()]) {
            Some((offset, total)) => Decoded::Part {
                key: (header.epoch, header.id),
                offset: Some(offset),
                total: Some(total),
                last: false,
                body: payload.start + PART_LEN..payload.end,
                used,
            },
            None => Decoded::Skip { used, reason: Some(SkipReason::Unknown) },
        }
    }
}
