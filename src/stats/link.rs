//! What a client or a server counts.

use super::RoundTrips;

/// What a client or a server has seen since it was opened.
///
/// Where the two sides differ, each field says what it is at which. A message is a request, a
/// reply, an item of a stream, or the news that a call failed; pings, cancels and goodbyes are
/// control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStats {
    /// Messages that the FIFO has accepted to the last byte.
    pub sent: u64,
    /// Bytes of these messages, framing not counted.
    pub sent_bytes: u64,
    /// Messages that came whole and were taken in: not those that are [late](Self::late), or were
    /// refused because they are [too large](Self::too_large) or [too many](Self::overloaded).
    pub received: u64,
    /// Bytes of these messages, framing not counted.
    pub received_bytes: u64,
    /// Events that came: messages, and control.
    pub events: u64,
    /// How long calls took, at a client; and how long requests were in hand until their answers
    /// were queued, at a server.
    pub times: RoundTrips,
    /// Requests that a server has handed out.
    pub taken: u64,
    /// Frames addressed to an earlier life, and replies that nobody waits for any more.
    pub late: u64,
    /// Calls that a client gave up, at their deadlines or because the server did not read; requests
    /// that had expired before a server handed them out.
    pub expired: u64,
    /// Replies that were not sent, because the client left, did not read, or had cancelled the
    /// call.
    pub unanswered: u64,
    /// Calls that were cancelled: those of a client, and those of which a server had the request.
    pub cancelled: u64,
    /// Times the peer did not acknowledge a cancel, so that this life of the endpoint was ended and
    /// another one begun.
    pub poisoned: u64,
    /// Calls that were put again, each time; see [`Call::idempotent`](crate::Call::idempotent).
    pub retried: u64,
    /// Bytes that were of no frame and were skipped.
    pub skipped_bytes: u64,
    /// Frames and messages that were cut off, overwritten or given up midway.
    pub torn: u64,
    /// Whole frames of another version or an unknown kind.
    pub unknown: u64,
    /// Messages refused because they exceed the limit.
    pub too_large: u64,
    /// Requests refused because too many waited.
    pub overloaded: u64,
    /// Times the peer was given up because it did not read; see
    /// [`ServerOptions::stall_timeout`](crate::ServerOptions::stall_timeout).
    pub evicted: u64,
    /// Goodbyes that came: peers that left on purpose, and not by death.
    pub farewells: u64,
    /// Times the peer that reads from us has left.
    pub peers_lost: u64,
    /// Times a path was found to name another FIFO, which was then opened.
    pub replaced: u64,
    /// Times either end was opened again: for the next peer, or because its path names another
    /// FIFO.
    pub reopened: u64,
    /// Attempts to open an end that were refused, and are made again: nobody was on the other side,
    /// the path named nothing, or another endpoint had the end.
    pub open_refusals: u64,
    /// Events that are not wholly written by now, control included.
    pub queued: usize,
    /// Bytes of these events, framing not counted.
    pub queued_bytes: usize,
    /// Requests that have come and that a server has not handed out by now.
    pub waiting: usize,
    /// Calls that wait for their replies by now, or requests that are not answered.
    pub in_flight: usize,
}

impl LinkStats {
    /// These counters with those of the side that hears added. What is said of now is nobody's
    /// share.
    pub(crate) fn plus(self, heard: Self) -> Self {
        Self {
            events: self.events + heard.events,
            late: self.late + heard.late,
            expired: self.expired + heard.expired,
            unanswered: self.unanswered + heard.unanswered,
            cancelled: self.cancelled + heard.cancelled,
            poisoned: self.poisoned + heard.poisoned,
            skipped_bytes: self.skipped_bytes + heard.skipped_bytes,
            torn: self.torn + heard.torn,
            unknown: self.unknown + heard.unknown,
            too_large: self.too_large + heard.too_large,
            overloaded: self.overloaded + heard.overloaded,
            evicted: self.evicted + heard.evicted,
            farewells: self.farewells + heard.farewells,
            peers_lost: self.peers_lost + heard.peers_lost,
            replaced: self.replaced + heard.replaced,
            ..self
        }
    }
}
