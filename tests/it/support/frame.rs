//! Native frames made by hand: whole ones, and ones that no endpoint would write.
//!
//! Written from `docs/PROTOCOL.md`, apart from the library's own code on purpose: a mistake there
//! shows here.

use fifowire::framing::{Encoded, Framing, Native, Room};

/// A frame, with every field free to be wrong.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) version: u8,
    pub(crate) kind: u8,
    pub(crate) flags: u16,
    pub(crate) epoch: u64,
    pub(crate) to: u64,
    pub(crate) id: u64,
    pub(crate) payload: Vec<u8>,
}

pub(crate) const MAGIC: [u8; 4] = [0xF1, 0x46, 0x57, 0x8D];
pub(crate) const HEADER_LEN: usize = 36;
pub(crate) const LENGTH_AT: usize = 8;

pub(crate) const DATA: u8 = 1;
pub(crate) const REQUEST: u8 = 2;
pub(crate) const REPLY: u8 = 3;
pub(crate) const CANCEL: u8 = 5;
pub(crate) const CANCELLED: u8 = 6;
pub(crate) const PING: u8 = 7;
pub(crate) const PONG: u8 = 8;
pub(crate) const GOODBYE: u8 = 9;

const PART: u16 = 1;
const MASKED: u16 = 2;

impl Frame {
    pub(crate) fn new(kind: u8, epoch: u64, id: u64, payload: &[u8]) -> Self {
        Self { version: 1, kind, flags: 0, epoch, to: 0, id, payload: payload.to_vec() }
    }

    /// A one-way message.
    pub(crate) fn message(epoch: u64, id: u64, message: &[u8]) -> Self {
        let mut payload = (message.len() as u32).to_le_bytes().to_vec();
        payload.extend_from_slice(message);
        Self::new(DATA, epoch, id, &payload)
    }

    /// A request whose caller waits without end.
    pub(crate) fn request(epoch: u64, id: u64, message: &[u8]) -> Self {
        let mut payload = u64::MAX.to_le_bytes().to_vec();
        payload.extend_from_slice(&0_u64.to_le_bytes());
        payload.extend_from_slice(&0_u16.to_le_bytes());
        payload.extend_from_slice(message);
        Self::new(REQUEST, epoch, id, &payload)
    }

    /// A part of a longer message of this kind.
    pub(crate) fn part(
        kind: u8,
        (epoch, id): (u64, u64),
        offset: u32,
        total: u32,
        bytes: &[u8],
    ) -> Self {
        let mut payload = offset.to_le_bytes().to_vec();
        payload.extend_from_slice(&total.to_le_bytes());
        payload.extend_from_slice(bytes);
        Self { flags: PART, ..Self::new(kind, epoch, id, &payload) }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&[self.version, self.kind]);
        bytes.extend_from_slice(&self.flags.to_le_bytes());
        bytes.extend_from_slice(&(self.payload.len() as u32).to_le_bytes());
        for word in [self.epoch, self.to, self.id] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&self.payload);
        seal(bytes)
    }

    /// The frame at the start of `bytes`, and how long it is.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let head = bytes.get(..HEADER_LEN).filter(|head| head.starts_with(&MAGIC))?;
        let length = u32::from_le_bytes(head[LENGTH_AT..LENGTH_AT + 4].try_into().unwrap());
        let end = HEADER_LEN + length as usize;
        let payload = bytes.get(HEADER_LEN..end + 4)?[..length as usize].to_vec();
        let flags = u16::from_le_bytes([head[6], head[7]]);
        let (version, kind) = (head[4], head[5]);
        let (epoch, to, id) = (word(12), word(20), word(28));
        Some((Self { version, kind, flags, epoch, to, id, payload }, end + 4))
    }

    /// An answer of this kind to this frame, from another life.
    pub(crate) fn answer(&self, kind: u8, epoch: u64, payload: &[u8]) -> Self {
        Self { to: self.epoch, ..Self::new(kind, epoch, self.id, payload) }
    }

    /// The message of a request that is no part.
    pub(crate) fn asked(&self) -> &[u8] {
        &self.payload[18..]
    }

    pub(crate) fn is_masked(&self) -> bool {
        self.flags & MASKED != 0
    }

    /// The same with its mask taken off, where it has one.
    pub(crate) fn unmasked(mut self) -> Self {
        if self.is_masked() {
            let hidden = self.payload.split_off(4);
            let mask = std::mem::replace(&mut self.payload, hidden);
            self.payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            self.flags &= !MASKED;
        }
        self
    }
}

/// Adds the checksum.
pub(crate) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The units that a sender of the library would write for this message.
pub(crate) fn units(epoch: u64, message: &[u8], room: Room) -> Vec<Vec<u8>> {
    let mut native = Native::default();
    native.begin(epoch);
    let (mut units, mut from) = (Vec::new(), 0);
    loop {
        let mut unit = Vec::new();
        let encoded = native.encode(message, from, &mut unit, room).unwrap();
        native.finish(&mut unit);
        units.push(unit);
        match encoded {
            Encoded::Whole => return units,
            Encoded::Until(next) => from = next,
        }
    }
}
