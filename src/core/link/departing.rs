//! The end of the peer's life, as it is noticed, and of ours.

use std::time::Instant;

use super::{Departure, Link};
use crate::error::Result;
use crate::pipe::{Opener, Sink, Source, Standing};
use crate::stats::Eviction;

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Link<R, W> {
    /// The peer reads from us no longer.
    #[cold]
    pub(super) fn lose_writer(&mut self) {
        self.outgoing.close();
        self.stalled_since = None;
        self.leaving = true;
        if !self.one_peer {
            self.inbox.await_last_words();
        }
    }

    /// Nobody writes to us. If nobody reads from us either, the peer is gone.
    #[cold]
    pub(super) fn notice_departure(&mut self) {
        if self.outgoing.is_deserted() {
            self.lose_writer();
        }
        self.end_of_last_words();
    }

    /// Everything that the peer has written is read. If it is gone, that was all.
    pub(super) fn end_of_last_words(&mut self) {
        if self.leaving {
            let relieved_of = std::mem::take(&mut self.relieved_of);
            let left = if relieved_of == 0 { self.inbox.peer() } else { relieved_of };
            self.depart(left);
        }
    }

    /// The peer has left, and another life of it may have come so soon that our pipe was never
    /// without a reader: this is the only sign of it.
    #[cold]
    pub(super) fn end_peers_life(&mut self) {
        if self.one_peer && self.inbox.has_met() {
            self.depart(self.inbox.peer());
        }
    }

    #[cold]
    pub(super) fn depart(&mut self, peer: u64) {
        self.leaving = false;
        // A goodbye is behind all answers. Where one of them may have been torn on the way, that
        // there is none says nothing.
        let farewell = peer != 0 && self.inbox.farewell() == peer && !self.inbox.is_damaged();
        self.inbox.forget_peer();
        if self.one_peer {
            // Who gave this life up, or takes it for gone, shall know the next one from it.
            self.inbox.renew_life();
        }
        self.stats.peers_lost += 1;
        let cut = self.outbox.rewind();
        let departure = self.departure.get_or_insert_default();
        departure.farewell = farewell;
        if departure.peer == 0 {
            departure.peer = peer;
        }
        departure.said_to_anybody = self.outbox.said_to_anybody();
        departure.lost.extend(cut);
        departure.unsent.clear();
        self.outbox.tickets(&mut departure.unsent);
    }

    /// What there is to say of a peer that is to be given up.
    pub(crate) fn eviction(&self, life: u64, now: Instant) -> Eviction {
        let stalled = self.stalled(now).unwrap_or_default();
        let (queued, queued_bytes) = (self.outbox.queued(), self.outbox.queued_bytes());
        Eviction { life, queued, queued_bytes, stalled }
    }

    /// Gives up whoever does not read: it is not listened to before it has left or begun another
    /// life. What was to be written is dropped, in the middle of a frame if need be.
    #[cold]
    pub(crate) fn evict(&mut self, eviction: Eviction) {
        let life = eviction.life;
        self.last_eviction = Some(eviction);
        self.stats.evicted += 1;
        self.outbox.clear();
        self.outgoing.close();
        self.stalled_since = None;
        self.stall_reported = false;
        self.inbox.shun(life);
    }

    /// Ends this life of ours and begins the next. What the peer may have seen of this one is lost;
    /// the rest is for the next.
    pub(crate) fn begin_life(&mut self) -> Departure {
        self.inbox.begin_life();
        let lost = self.outbox.rewind();
        let mut unsent = Vec::new();
        self.outbox.tickets(&mut unsent);
        let (said_to_anybody, peer) = (self.outbox.said_to_anybody(), self.inbox.peer());
        Departure { lost, unsent, farewell: false, said_to_anybody, peer }
    }

    #[cold]
    pub(super) fn leave_reader(&mut self) {
        self.stats.replaced += 1;
        self.inbox.discard();
        // Whoever asked through it is gone with it, and must not keep the next from being heard.
        self.outbox.forget_answers();
        // Nothing will tell from here on whether whoever wrote to it still lives, or has given us
        // up.
        let met = self.outgoing.end().is_some() || self.inbox.has_met();
        if self.leaving || (self.one_peer && met) {
            self.depart(self.inbox.peer());
        }
    }

    /// Looks now and then whether both paths still lead here.
    pub(super) fn check_standing(&mut self, now: Instant) -> Result<()> {
        // Both when either is due: one wake-up instead of two.
        if !self.incoming.is_due(now) && !self.outgoing.is_due(now) {
            return Ok(());
        }
        self.look_at_paths(now)
    }

    #[cold]
    fn look_at_paths(&mut self, now: Instant) -> Result<()> {
        if self.incoming.check(now)? == Standing::Replaced {
            self.leave_reader();
        }
        if self.outgoing.check(now)? == Standing::Replaced {
            self.stats.replaced += 1;
            self.lose_writer();
        }
        Ok(())
    }
}
