//! Counters that endpoints keep: plain numbers, cheap enough to be always on.

mod link;
mod round_trips;

use std::time::Duration;

pub use link::LinkStats;
pub use round_trips::RoundTrips;

/// What a receiver has seen since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiverStats {
    /// Messages delivered.
    pub messages: u64,
    /// Bytes of the delivered messages, framing not counted.
    pub bytes: u64,
    /// Bytes that were of no frame and were skipped.
    pub skipped_bytes: u64,
    /// Frames and messages that were cut off, overwritten or given up midway.
    ///
    /// A frame that was cut off is counted when the next one comes, which shows that its rest never
    /// will. A long message that was is counted when it gives way to others (at most 32 are put
    /// together at a time, within the message limit), and whatever is begun, when the stream ends
    /// ([`EndOfWriters::End`](crate::EndOfWriters::End)) or the FIFO is replaced.
    pub torn: u64,
    /// Whole frames of another version or an unknown kind.
    pub unknown: u64,
    /// Messages refused because they exceed the limit.
    pub too_large: u64,
    /// Times the descriptor was exchanged because the last writer had left.
    pub renewals: u64,
    /// Times the path was found to name another FIFO, which was then opened.
    pub replaced: u64,
    /// Times the end was opened again, for either reason.
    pub reopened: u64,
    /// Attempts to open the end that were refused, and made again by the deadline: the path named
    /// nothing, or another receiver had the FIFO.
    pub open_refusals: u64,
}

/// What a sender has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SenderStats {
    /// Messages framed to their last byte, whether or not they were written then: those of a batch
    /// that failed are included. One that was refused, or whose call failed before its last part
    /// was framed, is not.
    pub messages: u64,
    /// Bytes of these messages, framing not counted.
    pub bytes: u64,
    /// Times the end was given up because its reader had left or its path named another FIFO.
    pub reconnects: u64,
    /// Times a call failed inside a message, so that the end was closed and its epoch ended.
    pub poisoned: u64,
    /// Times the end was opened again.
    pub reopened: u64,
    /// Attempts to open the end that were refused, and made again by the deadline: nobody read the
    /// FIFO, the path named nothing, or a sender that is alone had it.
    pub open_refusals: u64,
    /// Bytes that are framed and not written by now, framing included.
    pub queued_bytes: usize,
}

/// What a reader of plain bytes has seen since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FifoReaderStats {
    /// Bytes that were read.
    pub bytes: u64,
    /// Reads that gave any.
    pub reads: u64,
    /// Times the descriptor was exchanged because the last writer had left.
    pub reopened: u64,
}

/// What a writer of plain bytes has done since it was opened. It stays on the FIFO that it has
/// opened, so there is nothing to say of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FifoWriterStats {
    /// Bytes that the FIFO has accepted.
    pub bytes: u64,
    /// Writes of which it has accepted any.
    pub writes: u64,
}

/// What an end of one FIFO has been through, as far as [events](crate::trace) tell of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Bytes that were of no frame.
    pub(crate) skipped_bytes: u64,
    /// Frames and messages that are not whole: heard so, or left so by a call that failed.
    pub(crate) torn: u64,
    pub(crate) ends: EndStats,
    /// Peers that were given up because they did not read, and what there is to say of the last.
    pub(crate) evicted: u64,
    pub(crate) last_eviction: Option<Eviction>,
}

/// A peer that was given up because it did not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Eviction {
    /// Its epoch.
    pub(crate) life: u64,
    /// What waited for it.
    pub(crate) queued: usize,
    pub(crate) queued_bytes: usize,
    /// For how long no byte had moved.
    pub(crate) stalled: Duration,
}

/// How one side came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EndStats {
    /// Times it was opened.
    pub(crate) opened: u64,
    /// Times the descriptor was exchanged because the last writer had left.
    pub(crate) renewed: u64,
    /// Times it was left because the path names another FIFO.
    pub(crate) replaced: u64,
    /// Attempts to open it that were refused.
    pub(crate) refused: u64,
}

impl EndStats {
    /// Times it was opened again, whatever for.
    pub(crate) fn reopened(self) -> u64 {
        self.opened.saturating_sub(1) + self.renewed
    }
}
