//! Frames on their way in: found, checked, or skipped.
//!
//! The scanner sees the unread bytes and answers what stands at their start. It never believes a
//! length before the whole frame has passed its checksum, and it never waits for bytes of a frame
//! that has already turned out to be cut off.

use super::header::announced_length;
use super::seal::{FIND_MAGIC, apply_mask, checksum};
use super::{HEADER_LEN, Header, MAGIC, MASK_LEN, MAX_FRAME, TRAILER_LEN, VERSION};

/// What stands at the start of the unread bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// A frame that is not yet complete, or nothing.
    More,
    /// These many bytes belong to no frame that can be delivered.
    Skip { used: usize, reason: SkipReason },
    /// A whole, checked frame; its payload is unmasked in place.
    Frame { header: Header, payload: std::ops::Range<usize>, used: usize },
}

/// Why bytes were skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// They are no frame: another program wrote them, or they are the rest of a frame whose start
    /// an earlier reader took.
    Garbage,
    /// A frame that was cut off, overwritten or given up by its sender.
    Torn,
    /// A whole frame of another version, or of a kind this version does not know.
    Unknown,
}

/// Finds frames in a stream of bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scanner {
    /// Bytes of an incomplete frame that were searched for a magic already, so that a frame that
    /// arrives byte by byte is not searched again each time.
    searched: usize,
    /// Whether bytes were skipped since the last good frame: then what looks like a frame may be
    /// the bait of somebody who wants checksums computed, or a torn one that hides a good one.
    astray: bool,
}

impl Scanner {
    /// Looks at what stands at the start of `unread`.
    pub(crate) fn scan(&mut self, unread: &mut [u8]) -> Scan {
        if !unread.starts_with(&MAGIC) {
            return self.seek(unread);
        }
        let Some(head) = unread.first_chunk::<HEADER_LEN>() else {
            return self.incomplete(unread);
        };
        let length = announced_length(head) as usize;
        if length > MAX_FRAME - HEADER_LEN - TRAILER_LEN {
            return self.past_magic(SkipReason::Torn);
        }
        let used = HEADER_LEN + length + TRAILER_LEN;
        if unread.len() < used {
            return self.incomplete(unread);
        }
        if self.astray {
            // A search is paid for once, by what it skips; a checksum over bytes that are looked at
            // again would be paid for again with each.
            if let Some(at) = FIND_MAGIC.find(&unread[MAGIC.len()..used]) {
                self.searched = 0;
                return Scan::Skip { used: MAGIC.len() + at, reason: SkipReason::Torn };
            }
        }
        if !checksum_holds(&unread[..used]) {
            return self.past_magic(SkipReason::Torn);
        }
        self.searched = 0;
        self.astray = false;
        let Some(header) = Header::from_bytes(head).filter(|_| head[4] == VERSION) else {
            return Scan::Skip { used, reason: SkipReason::Unknown };
        };
        match unmask(&mut unread[HEADER_LEN..used - TRAILER_LEN], header) {
            Some(hidden) => {
                Scan::Frame { header, payload: HEADER_LEN + hidden..used - TRAILER_LEN, used }
            }
            None => Scan::Skip { used, reason: SkipReason::Unknown },
        }
    }

    /// Skips to the next magic, or to the last bytes that may be the start of one.
    fn seek(&mut self, unread: &[u8]) -> Scan {
        self.searched = 0;
        let used = FIND_MAGIC.find(unread).unwrap_or_else(|| unread.len() - magic_prefix(unread));
        match used {
            0 => Scan::More,
            used => {
                self.astray = true;
                Scan::Skip { used, reason: SkipReason::Garbage }
            }
        }
    }

    /// A frame whose rest has not come. A magic inside it means that its rest never will.
    fn incomplete(&mut self, unread: &[u8]) -> Scan {
        // A magic may straddle the border of what was searched: go back by its length less one.
        let from = self.searched.saturating_sub(MAGIC.len() - 1).max(MAGIC.len());
        match unread.get(from..).and_then(|rest| FIND_MAGIC.find(rest)) {
            Some(at) => {
                self.searched = 0;
                self.astray = true;
                Scan::Skip { used: from + at, reason: SkipReason::Torn }
            }
            None => {
                self.searched = unread.len();
                Scan::More
            }
        }
    }

    /// The frame here is not to be trusted, its length included: look on from behind its magic.
    fn past_magic(&mut self, reason: SkipReason) -> Scan {
        self.searched = 0;
        self.astray = true;
        Scan::Skip { used: MAGIC.len(), reason }
    }
}

/// How many bytes at the end of `bytes` are the start of a magic.
fn magic_prefix(bytes: &[u8]) -> usize {
    (1..MAGIC.len()).rev().find(|len| bytes.ends_with(&MAGIC[..*len])).unwrap_or(0)
}

fn checksum_holds(frame: &[u8]) -> bool {
    frame
        .split_last_chunk::<TRAILER_LEN>()
        .is_some_and(|(body, trailer)| checksum(body) == u32::from_le_bytes(*trailer))
}

/// Takes the mask off; answers how many bytes the mask itself takes, or `None` where the payload
/// is too short to hold the mask it announces.
fn unmask(payload: &mut [u8], header: Header) -> Option<usize> {
    if !header.flags.masked {
        return Some(0);
    }
    let (mask, hidden) = payload.split_first_chunk_mut::<MASK_LEN>()?;
    apply_mask(hidden, *mask);
    Some(MASK_LEN)
}
