//! The fixed 36 bytes before a payload, little-endian.

use super::{HEADER_LEN, MAGIC, VERSION};

/// What a frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Request,
    Reply,
    Failure,
    Cancel,
    Cancelled,
    Ping,
    Pong,
    Goodbye,
    Item,
    End,
    Credit,
}

impl Kind {
    const ALL: [(Self, u8); 12] = [
        (Self::Data, 1),
        (Self::Request, 2),
        (Self::Reply, 3),
        (Self::Failure, 4),
        (Self::Cancel, 5),
        (Self::Cancelled, 6),
        (Self::Ping, 7),
        (Self::Pong, 8),
        (Self::Goodbye, 9),
        (Self::Item, 10),
        (Self::End, 11),
        (Self::Credit, 12),
    ];

    pub(crate) fn from_wire(byte: u8) -> Option<Self> {
        Self::ALL.iter().find(|(_, wire)| *wire == byte).map(|(kind, _)| *kind)
    }

    pub(crate) fn to_wire(self) -> u8 {
        match self {
            Self::Data => 1,
            Self::Request => 2,
            Self::Reply => 3,
            Self::Failure => 4,
            Self::Cancel => 5,
            Self::Cancelled => 6,
            Self::Ping => 7,
            Self::Pong => 8,
            Self::Goodbye => 9,
            Self::Item => 10,
            Self::End => 11,
            Self::Credit => 12,
        }
    }
}

/// The flag bits of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// The payload is one part of a longer message: offset, total, bytes.
    pub(crate) part: bool,
    /// The payload starts with a mask that the rest was XORed with.
    pub(crate) masked: bool,
}

impl Flags {
    const PART: u16 = 1;
    const MASKED: u16 = 2;

    fn from_wire(bits: u16) -> Option<Self> {
        if bits & !(Self::PART | Self::MASKED) != 0 {
            return None;
        }
        Some(Self { part: bits & Self::PART != 0, masked: bits & Self::MASKED != 0 })
    }

    pub(crate) fn to_wire(self) -> u16 {
        let part = if self.part { Self::PART } else { 0 };
        let masked = if self.masked { Self::MASKED } else { 0 };
        part | masked
    }
}

/// Who a frame is from, whom it is for, and which message it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) flags: Flags,
    /// The life of the endpoint that wrote the frame.
    pub(crate) epoch: u64,
    /// The life it is addressed to; zero for whoever reads.
    pub(crate) to: u64,
    /// The message or call it belongs to.
    pub(crate) id: u64,
}

impl Header {
    pub(crate) const FLAGS_AT: usize = 6;
    pub(crate) const LENGTH_AT: usize = 8;

    /// The header's bytes, announcing a payload of `length` bytes.
    pub(crate) fn to_bytes(self, length: u32) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[5] = self.kind.to_wire();
        bytes[6..8].copy_from_slice(&self.flags.to_wire().to_le_bytes());
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.to.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.id.to_le_bytes());
        bytes
    }

    /// The header in `bytes`, or `None` for a kind or a flag that this version does not know.
    pub(crate) fn from_bytes(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        Some(Self {
            kind: Kind::from_wire(bytes[5])?,
            flags: Flags::from_wire(u16::from_le_bytes([bytes[6], bytes[7]]))?,
            epoch: read_u64(bytes, 12),
            to: read_u64(bytes, 20),
            id: read_u64(bytes, 28),
        })
    }
}

/// The payload length a header announces.
pub(super) fn announced_length(bytes: &[u8; HEADER_LEN]) -> u32 {
    let at = Header::LENGTH_AT;
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn read_u64(bytes: &[u8; HEADER_LEN], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_wire_and_no_other_byte_is_one() {
        for (kind, byte) in Kind::ALL {
            assert_eq!(kind.to_wire(), byte);
            assert_eq!(Kind::from_wire(byte), Some(kind));
        }
        assert_eq!((0..=255).filter(|byte| Kind::from_wire(*byte).is_some()).count(), 12);
    }

    #[test]
    fn a_header_survives_the_wire() {
        let header = Header {
            kind: Kind::Reply,
            flags: Flags { part: true, masked: true },
            epoch: u64::MAX - 1,
            to: 7,
            id: 0x0102_0304_0506_0708,
        };
        let bytes = header.to_bytes(65_000);
        assert_eq!(announced_length(&bytes), 65_000);
        assert_eq!(Header::from_bytes(&bytes), Some(header));
    }

    #[test]
    fn an_unknown_flag_is_not_guessed_at() {
        let mut bytes =
            Header { kind: Kind::Data, flags: Flags::default(), epoch: 1, to: 0, id: 1 }
                .to_bytes(0);
        bytes[Header::FLAGS_AT] = 4;
        assert_eq!(Header::from_bytes(&bytes), None);
    }
}
