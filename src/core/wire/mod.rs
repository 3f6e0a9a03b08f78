//! The native frame: bytes that name their own start, end, sender and check.
//!
//! `docs/PROTOCOL.md` is the specification; this folder is its one implementation. Two rules carry
//! the rest. *Where the magic stands, a frame begins*: a sender masks any payload that would
//! contain it, so a reader that lost its place finds it again without guessing, and no payload can
//! smuggle a frame in. *A frame is at most 64 KiB*: a reader can always hold one whole, check it,
//! and look again from its second byte when the check fails.

mod control;
mod header;
mod request;
mod scan;
mod seal;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub(crate) use control::{
    Failure, FailureCode, Found, Load, add_credit, credit_from, credit_to_bytes,
};
pub(crate) use header::{Flags, Header, Kind};
pub(crate) use request::{Head, Options, Remaining, RequestKey, Unreadable};
pub use scan::SkipReason;
pub(crate) use scan::{Scan, Scanner};
pub(crate) use seal::{begin, seal, void};

/// The four bytes every frame starts with. `F1` followed by `46` is not valid UTF-8, so text and
/// JSON never contain them.
pub(crate) const MAGIC: [u8; 4] = [0xF1, 0x46, 0x57, 0x8D];

/// The version this crate writes and the only one it reads.
pub(crate) const VERSION: u8 = 1;

/// Bytes before the payload.
pub(crate) const HEADER_LEN: usize = 36;

/// Bytes behind the payload: the checksum.
pub(crate) const TRAILER_LEN: usize = 4;

/// Bytes of the mask that precede a masked payload.
pub(crate) const MASK_LEN: usize = 4;

/// Bytes that precede a part: its offset and the message's total length.
pub(crate) const PART_LEN: usize = 8;

/// The most bytes that one write is given on an end that is held alone. Frames could be larger, but
/// two pages keep both sides busy at once and their copies in the nearest cache: with frames that
/// fill the pipe they take turns, at a quarter of the speed. Control waits for one of these at
/// most.
pub(crate) const UNIT: usize = 8192;

/// The frames of an end that is held alone over a pipe of this capacity: an eighth of it, so that
/// one side fills it while the other empties it, and not more than a frame may be. Fewer and larger
/// frames cost fewer calls.
pub(crate) fn unit_over(capacity: usize) -> usize {
    (capacity / 8).clamp(UNIT, MAX_FRAME)
}

/// The largest frame, from magic to checksum: sixteen pages, the default capacity of a pipe, and
/// the distance within which a reader resynchronises.
pub(crate) const MAX_FRAME: usize = 65_536;

/// The id after `last`: counted up from one, leaving out the few that contain the magic.
pub(crate) fn next_id(last: u64) -> u64 {
    let mut id = last.wrapping_add(1).max(1);
    while holds_magic(id) {
        id += 1;
    }
    id
}

/// Makes an epoch of random bits: never zero, which means "whoever reads", and without the byte
/// that the magic starts with, so that no header contains a magic.
pub(crate) fn epoch_from(random: u64) -> u64 {
    let bytes = random.to_le_bytes().map(|byte| if byte == MAGIC[0] { 0 } else { byte });
    u64::from_le_bytes(bytes).max(1)
}

/// The epoch of the life after that one: SplitMix64's permutation (Steele, Lea and Flood, 2014) of
/// a number that was drawn at random.
pub(crate) fn next_epoch(epoch: u64) -> u64 {
    let mut mixed = epoch.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    epoch_from(mixed ^ (mixed >> 31))
}

/// Splits what precedes a part: its offset, and the total length of its message.
pub(crate) fn split_part(payload: &[u8]) -> Option<(usize, usize)> {
    let (offset, rest) = payload.split_first_chunk::<4>()?;
    let total = rest.first_chunk::<4>()?;
    Some((u32::from_le_bytes(*offset) as usize, u32::from_le_bytes(*total) as usize))
}

fn holds_magic(id: u64) -> bool {
    id.to_le_bytes().windows(MAGIC.len()).any(|window| window == MAGIC)
}
