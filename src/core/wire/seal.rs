//! Frames on their way out: begun, filled by the caller, sealed.
//!
//! A frame is built in place at the end of a buffer, so that a payload is copied once and several
//! frames can leave in one write.

use std::sync::LazyLock;

use crc32fast::Hasher;
use memchr::memmem::Finder;

use super::{Flags, HEADER_LEN, Header, MAGIC, MASK_LEN, TRAILER_LEN};
use crate::sys;

/// Finds the magic; built once, because a search over a short frame costs less than its set-up.
pub(super) static FIND_MAGIC: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(&MAGIC));

/// Appends a header to `unit` and answers where the frame starts; the payload is appended next.
pub(crate) fn begin(unit: &mut Vec<u8>, header: Header) -> usize {
    let start = unit.len();
    unit.extend_from_slice(&header.to_bytes(0));
    start
}

/// Ends the frame that starts at `start` and reaches to the end of `unit`: length, mask where the
/// payload needs one, checksum.
pub(crate) fn seal(unit: &mut Vec<u8>, start: usize) {
    finish(unit, start);
    if misleads(&unit[start + HEADER_LEN..]) {
        unit.truncate(unit.len() - TRAILER_LEN);
        mask(unit, start);
    }
}

/// Cuts a frame that was written in part so that no reader will believe it: the checksum in its
/// last bytes is changed, and the stream stays in step.
///
/// A caller that gave up is told "not sent"; finishing the frame as it was would deliver it.
pub(crate) fn void(frame: &mut [u8]) {
    if let Some(last) = frame.last_mut() {
        // Any change of the checksum voids the frame. Both values keep the magic's last byte out.
        *last = if *last ^ 0x01 == MAGIC[3] { *last ^ 0x02 } else { *last ^ 0x01 };
    }
}

fn finish(unit: &mut Vec<u8>, start: usize) {
    let length = (unit.len() - start - HEADER_LEN) as u32;
    let at = start + Header::LENGTH_AT;
    unit[at..at + 4].copy_from_slice(&length.to_le_bytes());
    let checksum = checksum(&unit[start..]);
    unit.extend_from_slice(&checksum.to_le_bytes());
}

/// The checksum of a frame, as it stands behind it.
pub(super) fn checksum(frame: &[u8]) -> u32 {
    // Making one asks what the processor can do, which is the same every time.
    static FRESH: LazyLock<Hasher> = LazyLock::new(Hasher::new);
    let mut hasher = FRESH.clone();
    hasher.update(frame);
    hasher.finalize()
}

/// Whether payload and checksum could make a reader look for a frame in the wrong place: they
/// contain the magic, or end in its first bytes. The latter, cut off just before them, would be
/// completed by the magic of the next frame, and the next frame be lost.
fn misleads(bytes: &[u8]) -> bool {
    let ends_in_start = (1..MAGIC.len()).any(|len| bytes.ends_with(&MAGIC[..len]));
    ends_in_start || FIND_MAGIC.find(bytes).is_some()
}

/// Masks the payload with the first mask that leaves nothing misleading in it.
///
/// A payload of 64 KiB holds at most 65,536 of the 2^32 patterns that four bytes can be, so nearly
/// every mask will do. Each is drawn from the kernel: a sequence that could be foreseen would let
/// somebody prepare a payload that defeats one mask after the other.
#[cold]
fn mask(unit: &mut Vec<u8>, start: usize) {
    let payload_at = start + HEADER_LEN;
    let flags_at = start + Header::FLAGS_AT;
    let mut flags = Flags { masked: true, ..Flags::default() }.to_wire();
    flags |= u16::from_le_bytes([unit[flags_at], unit[flags_at + 1]]);
    unit[flags_at..flags_at + 2].copy_from_slice(&flags.to_le_bytes());

    unit.splice(payload_at..payload_at, [0; MASK_LEN]);
    let end = unit.len();
    let mut applied = [0; MASK_LEN];
    loop {
        let mask = (sys::random_u64() as u32).to_le_bytes();
        let both = std::array::from_fn(|i| applied[i] ^ mask[i]);
        apply_mask(&mut unit[payload_at + MASK_LEN..], both);
        unit[payload_at..payload_at + MASK_LEN].copy_from_slice(&mask);
        applied = mask;
        finish(unit, start);
        if !misleads(&unit[payload_at..]) {
            return;
        }
        unit.truncate(end);
    }
}

/// XORs `bytes` with `mask`, repeated from their start; its own inverse.
pub(super) fn apply_mask(bytes: &mut [u8], mask: [u8; MASK_LEN]) {
    for chunk in bytes.chunks_mut(MASK_LEN) {
        for (byte, mask) in chunk.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}
