//! Whose words are heard: our life, the peer's, and those that are over.

use super::Inbox;
use crate::core::assembly::Assembly;
use crate::core::event::{Lives, Verb};
use crate::core::wire;

impl Inbox {
    /// Our life, and that of the peer that was heard last.
    #[cfg(test)]
    pub(crate) fn lives(&self) -> Lives {
        self.lives
    }

    /// What a server says is heard, and nothing else.
    pub(crate) fn hear_a_server(&mut self) {
        self.hears_a_server = true;
    }

    /// The life that has said something last; zero for none since the last peer left.
    pub(crate) fn speaker(&self) -> u64 {
        self.speaker
    }

    /// The life that has said goodbye; zero for none.
    pub(crate) fn farewell(&self) -> u64 {
        self.farewell
    }

    /// Whether something that came since the last peer left was not whole: it may have been an
    /// answer.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// The life that was known before another spoke, if that has happened since this was asked
    /// last.
    pub(crate) fn take_relieved(&mut self) -> Option<u64> {
        self.relieved.take()
    }

    /// The life that was heard last; zero for none.
    pub(crate) fn peer(&self) -> u64 {
        self.lives.peer
    }

    /// Our life, and the one that is spoken to; zero for whoever reads.
    pub(crate) fn addresses(&self) -> Lives {
        Lives { peer: if self.doubted { 0 } else { self.lives.peer }, ..self.lives }
    }

    /// The peer has not answered in time: what is said from here on is for whoever reads, until it
    /// is heard again. Where the next life opened its end before the last words of this one were
    /// read, nothing else tells of the change.
    pub(crate) fn doubt_peer(&mut self) {
        self.doubted = true;
    }

    /// Whether anybody has written since the last peer left, and be it the rest of what was for
    /// another.
    pub(crate) fn has_met(&self) -> bool {
        self.met
    }

    /// The peer has left; whoever comes next has another life.
    pub(crate) fn forget_peer(&mut self) {
        self.lives.peer = 0;
        (self.speaker, self.leaver) = (0, 0);
        (self.met, self.damaged) = (false, false);
    }

    /// Whoever has said something last has left; of its words some may lie before those of another.
    pub(crate) fn await_last_words(&mut self) {
        self.leaver = self.speaker;
    }

    /// Whatever this life says from here on is not heard, and what waits is dropped: it is of this
    /// life, or of one before it.
    pub(crate) fn shun(&mut self, life: u64) {
        self.shunned = life;
        self.speaker = 0;
        self.events.clear();
        (self.events_bytes, self.in_time) = (0, 0);
        self.assembly = Assembly::new(self.limits.most());
    }

    /// A life that was given up has left; whoever comes is heard.
    pub(crate) fn forgive(&mut self) {
        self.shunned = 0;
    }

    /// Another life of ours begins; what has come is still taken.
    pub(crate) fn renew_life(&mut self) {
        self.lives.ours = wire::next_epoch(self.lives.ours);
    }

    /// Another life of ours begins, and nothing that has come is for it.
    pub(crate) fn begin_life(&mut self) {
        self.renew_life();
        self.events.clear();
        (self.events_bytes, self.in_time) = (0, 0);
        self.assembly = Assembly::new(self.limits.most());
    }

    /// This life speaks. Of clients there is one at a time: what one before it has begun is never
    /// finished, and takes no room.
    pub(super) fn meet(&mut self, life: u64) {
        if self.speaker != life && !self.hears_a_server {
            self.assembly.abandon_others(life);
        }
        self.speaker = life;
    }

    /// Nobody may ask a client for anything, or answer a server.
    pub(super) fn is_heard(&mut self, verb: Verb) -> bool {
        let heard = match self.hears_a_server {
            true => verb.is_of_a_server(),
            false => verb.is_of_a_client(),
        };
        self.stats.unknown += u64::from(!heard);
        heard
    }

    /// What is addressed to another life is late or stale, and nobody here waits for it.
    pub(super) fn is_for_us(&mut self, from: u64, to: u64) -> bool {
        let ours = (to == 0 || to == self.lives.ours) && from != self.shunned;
        self.stats.late += u64::from(!ours);
        ours
    }
}
