//! The 64 bytes that travel, as a value with fields and as plain bytes.

use serde::{Deserialize, Serialize};

/// A request and its reply: 64 bytes in postcard, no allocation to make or to read one, so that
/// the transport is what is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Packet {
    head: [u8; 32],
    tail: [u8; 32],
}

/// How many bytes a small message has.
pub(crate) const SMALL: usize = 64;

impl Packet {
    /// A packet unlike the one before, so that a stale reply is noticed.
    pub(crate) fn numbered(number: u64) -> Self {
        let mut packet = Self { head: [0xA5; 32], tail: [0x5A; 32] };
        packet.head[..8].copy_from_slice(&number.to_le_bytes());
        packet
    }
}

/// Writes `number` at the start of a message.
pub(crate) fn stamp(message: &mut [u8], number: u64) {
    message[..8].copy_from_slice(&number.to_le_bytes());
}

/// The number at the start of a message.
pub(crate) fn stamped(message: &[u8]) -> u64 {
    u64::from_le_bytes(*message.first_chunk().expect("a message has at least eight bytes"))
}
