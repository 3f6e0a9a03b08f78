//! What a link has counted, put together from the parts that count.

use super::Link;
use crate::pipe::{Opener, Sink, Source};
use crate::stats::{LinkStats, Tally};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Link<R, W> {
    /// What has been seen so far, as far as the link knows of it.
    pub(crate) fn stats(&self) -> LinkStats {
        let (sent, received) = (self.outbox.sent(), self.inbox.received());
        let (incoming, outgoing) = (self.incoming.stats(), self.outgoing.stats());
        LinkStats {
            sent: sent.messages,
            sent_bytes: sent.bytes,
            received: received.messages,
            received_bytes: received.bytes,
            reopened: incoming.reopened() + outgoing.reopened(),
            open_refusals: incoming.refused + outgoing.refused,
            queued: self.outbox.queued(),
            queued_bytes: self.outbox.queued_bytes(),
            waiting: self.inbox.waiting(),
            ..self.stats.plus(self.inbox.stats)
        }
    }

    /// What is told of the FIFO that comes in.
    pub(crate) fn incoming_tally(&self) -> Tally {
        let LinkStats { skipped_bytes, torn, .. } = self.inbox.stats;
        Tally { skipped_bytes, torn, ends: self.incoming.stats(), ..Tally::default() }
    }

    /// What is told of the FIFO that goes out.
    pub(crate) fn outgoing_tally(&self) -> Tally {
        let (evicted, last_eviction) = (self.stats.evicted, self.last_eviction);
        Tally { ends: self.outgoing.stats(), evicted, last_eviction, ..Tally::default() }
    }
}
