//! One endpoint's two FIFOs as one connection that carries events both ways at once.
//!
//! A step writes what there is room for *and* reads what is there, so that neither direction ever
//! waits for the other: two peers that write to each other at the same time cannot block.

use std::time::{Duration, Instant};

use super::event::Event;
#[cfg(test)]
use super::event::Lives;
use super::inbox::{Ask, Inbox, Limits};
use super::outbox::{Outbox, Ticket, Wrote};
use super::read_side::ReadSide;
use super::step::{Step, Wait};
use super::write_side::WriteSide;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::pipe::{Opener, Read, Sink, Source, Standing};
use crate::stats::{Eviction, LinkStats, Tally};

/// Both directions of a session.
#[derive(Debug)]
pub(crate) struct Link<R: Opener, W: Opener> {
    incoming: ReadSide<R>,
    outgoing: WriteSide<W>,
    heard_at: Option<Instant>,
    stalled_since: Option<Instant>,
    stall_reported: bool,
    /// Whether whoever writes to us is one peer, which does so for all its life.
    one_peer: bool,
    outbox: Outbox,
    inbox: Inbox,
    /// Whether the peer reads no longer, and what it wrote before is not all read.
    leaving: bool,
    /// The life of the peer that another has relieved, until it has departed; zero for none.
    relieved_of: u64,
    /// Kept until somebody has asked, whatever the steps since have answered.
    departure: Option<Departure>,
    hung_up: bool,
    closed: bool,
    last_eviction: Option<Eviction>,
    /// What this side counts; the inbox has its own share.
    pub(crate) stats: LinkStats,
}

/// Which directions a step moves bytes in: a front end whose threads share a link leaves a
/// direction to the one that sleeps on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Directions {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Directions {
    #[cfg(any(test, fuzzing))]
    pub(crate) const BOTH: Self = Self { read: true, write: true };
}

/// The end of a peer's life.
#[derive(Debug, Default)]
pub(crate) struct Departure {
    /// These events were cut and will never arrive.
    pub(crate) lost: Vec<Ticket>,
    /// It had seen nothing of these; they are for whoever comes next.
    pub(crate) unsent: Vec<Ticket>,
    /// Whether it has said goodbye: then whatever it had taken was answered before.
    pub(crate) farewell: bool,
}

/// Reads between two looks at the clock: at most 1 MiB.
const READS_A_STEP: usize = 16;

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Link<R, W> {
    pub(crate) fn new(incoming: R, outgoing: W, limits: Limits, epoch: u64) -> Self {
        Self {
            incoming: ReadSide::new(incoming),
            outgoing: WriteSide::new(outgoing),
            heard_at: None,
            stalled_since: None,
            stall_reported: false,
            one_peer: false,
            outbox: Outbox::default(),
            inbox: Inbox::new(limits, epoch),
            leaving: false,
            relieved_of: 0,
            departure: None,
            hung_up: false,
            closed: false,
            last_eviction: None,
            stats: LinkStats::default(),
        }
    }

    /// Takes the departure of the last writer for the end of the peer's life. A server holds its
    /// end of the replies for as long as it lives; a client may be a script that writes a request,
    /// closes, and then waits for the reply.
    pub(crate) fn expect_one_peer(&mut self) {
        self.one_peer = true;
        self.inbox.hear_a_server();
    }

    pub(crate) fn incoming(&self) -> &R {
        self.incoming.opener()
    }

    pub(crate) fn outgoing(&self) -> &W {
        self.outgoing.opener()
    }

    pub(crate) fn reader(&self) -> Option<&R::End> {
        self.incoming.end()
    }

    pub(crate) fn writer(&self) -> Option<&W::End> {
        self.outgoing.end()
    }

    /// The ends that are open now.
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn ends_mut(&mut self) -> (Option<&mut R::End>, Option<&mut W::End>) {
        (self.incoming.end_mut(), self.outgoing.end_mut())
    }

    /// Lets go of both ends; nothing is to be done with the link from here on.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.incoming.close();
        self.outgoing.close();
        self.outbox.clear();
        self.stalled_since = None;
    }

    /// The peer has left; whoever comes next has another life.
    pub(crate) fn forget_peer(&mut self) {
        self.inbox.forget_peer();
    }

    /// Writes no more: the peer sees that, once it has read what was written, and may still write.
    pub(crate) fn half_close(&mut self) {
        self.outgoing.close();
    }

    /// The life that has said goodbye; zero for none.
    pub(crate) fn farewell(&self) -> u64 {
        self.inbox.farewell()
    }

    /// The life of the peer, where it is known.
    pub(crate) fn peer(&self) -> u64 {
        self.inbox.peer()
    }

    /// Whether nothing is to be done any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Why the writer is not open, where it is not.
    pub(crate) fn writer_refused(&self) -> Option<Error> {
        self.outgoing.refusal()
    }

    /// When the incoming FIFO was last looked at.
    pub(crate) fn heard_at(&self) -> Option<Instant> {
        self.heard_at
    }

    pub(crate) fn had_writer(&self) -> bool {
        self.incoming.had_writer()
    }

    /// For how long no byte has moved out although there was one to move.
    pub(crate) fn stalled(&self, now: Instant) -> Option<Duration> {
        self.stalled_since.map(|since| now.saturating_duration_since(since))
    }

    /// Whether no byte has moved out for this long although there was one to move.
    pub(crate) fn stalled_for(&self, limit: Duration, now: Instant) -> bool {
        self.stalled_since.is_some_and(|since| now.saturating_duration_since(since) >= limit)
    }

    /// When the stall will have lasted this long, if it has not yet.
    pub(crate) fn stall_ends(&self, limit: Duration, now: Instant) -> Deadline {
        match self.stalled_since.map(|since| Deadline::after(since, limit)) {
            Some(end) if !end.passed(now) => end,
            _ => Deadline::NEVER,
        }
    }

    /// Whether the stall has lasted this long for the first time that this is asked.
    pub(crate) fn stall_passes(&mut self, limit: Duration, now: Instant) -> bool {
        let passed = self.stalled_for(limit, now);
        let news = passed && !self.stall_reported;
        self.stall_reported = passed;
        news
    }

    pub(crate) fn has_events(&self) -> bool {
        self.inbox.has_events()
    }

    /// Whether nothing more is heard before events are taken or answers are written.
    pub(crate) fn is_full(&self) -> bool {
        self.inbox.is_full(&self.outbox)
    }

    /// The next event that has come.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.inbox.next_event()
    }

    /// Takes what the peer asks and was not answered.
    pub(crate) fn asks(&mut self) -> Vec<Ask> {
        self.inbox.asks()
    }

    /// Drops requests that nobody waited for any more when they came.
    pub(crate) fn drop_expired(&mut self, now_ns: impl FnOnce() -> u64) {
        if self.inbox.has_fresh() {
            self.stats.expired += self.inbox.drop_expired(now_ns());
        }
    }

    /// Events that wait to be taken.
    pub(crate) fn waiting(&self) -> usize {
        self.inbox.waiting()
    }

    /// The life that has said something last; zero for none since the last peer left.
    pub(crate) fn speaker(&self) -> u64 {
        self.inbox.speaker()
    }

    /// Takes back the memory of an event's body.
    pub(crate) fn recycle(&mut self, body: Vec<u8>) {
        if let Some(small) = self.inbox.recycle(body) {
            self.outbox.recycle(small);
        }
    }

    /// The memory taken for what has come and for what is to be written, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> (usize, usize) {
        (self.inbox.held(), self.outbox.held())
    }

    /// Whether a message is being put together.
    #[cfg(test)]
    pub(crate) fn is_assembling(&self) -> bool {
        self.inbox.is_assembling()
    }

    /// Fails where the counters are wrong.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        self.inbox.check();
        self.outbox.check();
    }

    /// Our life, and that of the peer that was heard last.
    #[cfg(test)]
    pub(crate) fn lives(&self) -> Lives {
        self.inbox.lives()
    }

    /// What has been seen so far.
    pub(crate) fn stats(&self) -> LinkStats {
        self.inbox.stats.plus(self.stats)
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

    /// Opens the incoming FIFO.
    pub(crate) fn step_open(&mut self, now: Instant, deadline: Deadline) -> Result<Step<()>> {
        self.incoming.step_open(now, deadline)
    }

    /// The end of the peer's life, if it has come since this was asked last.
    pub(crate) fn take_departure(&mut self) -> Option<Departure> {
        self.departure.take()
    }

    /// Whether the last writer has left since this was asked last.
    pub(crate) fn take_hang_up(&mut self) -> bool {
        std::mem::take(&mut self.hung_up)
    }

    /// The peer has not answered in time: it may be gone, and another in its place.
    pub(crate) fn doubt_peer(&mut self) {
        self.inbox.doubt_peer();
    }

    /// Nobody has waited for anything to be written; from here on somebody does.
    pub(crate) fn restart_stall(&mut self) {
        self.stalled_since = None;
    }

    /// Moves bytes in these directions, without waiting.
    pub(crate) fn step(&mut self, now: Instant, directions: Directions) -> Result<Wait> {
        let mut wait = Wait { readable: false, writable: false, until: Deadline::NEVER };
        if self.closed {
            return Ok(wait);
        }
        self.check_standing(now)?;
        // What is read first may be answered in the same step, and says whether the life that
        // requests are addressed to still is. The last words of one that leaves are read before
        // anybody is told that it has.
        if directions.read || self.leaving {
            self.read(now, &mut wait)?;
        }
        let was_full = self.is_full();
        if directions.write && !self.leaving {
            self.write(now, &mut wait)?;
        }
        if self.leaving || (was_full && !self.is_full()) {
            wait.until = Deadline::at(now);
        }
        Ok(wait)
    }

    /// Opens the outgoing FIFO if somebody reads it now, and otherwise leaves it for later.
    ///
    /// Whoever has just been heard reads; having the end open for the rest of its life is what
    /// tells a peer, while it waits for an answer, that this side lives, and when it has died.
    pub(crate) fn greet(&mut self, now: Instant) {
        if self.leaving || self.closed {
            return;
        }
        // What is wrong with the path is the news of whoever writes to it.
        let _ = self.outgoing.step_open(now, Deadline::NEVER);
    }

    /// Tries once to open the outgoing FIFO, for whoever writes next; answers whether it is open.
    pub(crate) fn try_connect(&mut self, now: Instant) -> Result<bool> {
        let open = matches!(self.outgoing.step_open(now, Deadline::NEVER)?, Step::Done(()));
        if !open {
            self.outgoing.stop_opening();
        }
        Ok(open)
    }

    fn write(&mut self, now: Instant, wait: &mut Wait) -> Result<()> {
        if self.outbox.is_empty() {
            self.stalled_since = None;
            return Ok(());
        }
        if let Step::Wait(opening) = self.outgoing.step_open(now, Deadline::NEVER)? {
            wait.until = wait.until.earlier(opening.until);
        }
        let Some(writer) = self.outgoing.end_mut() else { return Ok(()) };
        let wrote = self.outbox.step(writer, self.inbox.addresses());
        match wrote.map_err(|error| Error::system(error, Phase::Write))? {
            Wrote::All => {
                self.stalled_since = None;
            }
            Wrote::Busy => {
                self.stalled_since = None;
                wait.until = Deadline::at(now);
            }
            Wrote::Full { moved } => {
                if moved {
                    self.stalled_since = None;
                }
                self.stalled_since.get_or_insert(now);
                wait.writable = true;
            }
            // What is still to be written goes to the next reader, from a later step on.
            Wrote::NoReader => self.lose_writer(),
        }
        Ok(())
    }

    /// The peer reads from us no longer.
    fn lose_writer(&mut self) {
        self.outgoing.close();
        self.stalled_since = None;
        self.leaving = true;
        if !self.one_peer {
            self.inbox.await_last_words();
        }
    }

    fn read(&mut self, now: Instant, wait: &mut Wait) -> Result<()> {
        self.heard_at = Some(now);
        for _ in 0..READS_A_STEP {
            self.hear();
            // Events that nobody has taken yet hold the memory; the peer waits in the pipe.
            if self.outbox.is_bothered(0) && self.incoming.has_hung_up() && self.is_unread() {
                // Whoever asked so much has left without reading any of it.
                self.outbox.forget_answers();
            }
            if self.is_full() {
                // A client takes each reply at once and hears the next. A server may leave requests
                // untaken for long, and hears them all the same once their client is gone.
                if !self.one_peer || !self.has_events() {
                    self.end_of_last_words();
                }
                // Who takes events steps again; this is for one that dropped what it took.
                wait.until = wait.until.earlier(self.incoming.wait().until);
                return Ok(());
            }
            if let Step::Wait(opening) = self.step_open(now, Deadline::NEVER)? {
                self.end_of_last_words();
                wait.until = wait.until.earlier(opening.until);
                return Ok(());
            }
            let inbox = &mut self.inbox;
            // A full window holds something to hear.
            let full = Read::Bytes(0);
            match self.incoming.read(|end| Ok(inbox.fill(end)?.unwrap_or(full)))? {
                Read::Bytes(_) => {
                    self.hear();
                    // Somebody has waited for this; what is left ends the next wait at once.
                    if self.inbox.has_events() {
                        self.wait_readable(wait);
                        return Ok(());
                    }
                }
                Read::Empty => {
                    self.end_of_last_words();
                    self.wait_readable(wait);
                    return Ok(());
                }
                Read::NoWriterYet => {
                    self.notice_departure();
                    self.wait_readable(wait);
                    return Ok(());
                }
                Read::WritersGone => {
                    self.hung_up = true;
                    self.inbox.forgive();
                    self.notice_departure();
                    self.end_peers_life();
                    if self.incoming.renew()? == Standing::Replaced {
                        self.leave_reader();
                        wait.until = Deadline::at(now);
                        return Ok(());
                    }
                    self.wait_readable(wait);
                    return Ok(());
                }
            }
        }
        wait.until = Deadline::at(now);
        Ok(())
    }

    /// Hears what was read. Where the next life of a server speaks, the one before has ended, whether
    /// our pipe was without a writer in between or not. Where the next client does, the last words of
    /// the one that has left are over.
    fn hear(&mut self) {
        self.inbox.hear(&mut self.outbox);
        let Some(known) = self.inbox.take_relieved() else { return };
        if self.one_peer {
            self.leaving = true;
            self.relieved_of = known;
        } else if self.leaving {
            self.depart(known);
            self.inbox.hear(&mut self.outbox);
        }
    }

    fn wait_readable(&self, wait: &mut Wait) {
        let reading = self.incoming.wait();
        wait.readable = reading.readable;
        wait.until = wait.until.earlier(reading.until);
    }

    /// Whether it is known that nobody reads what we write. It is not tried out here: an end that is
    /// opened hides from a client that another server has left.
    fn is_unread(&self) -> bool {
        let refused = self.outgoing.refusal().map(|refusal| refusal.kind());
        refused == Some(ErrorKind::NoReader) || self.outgoing.is_deserted()
    }

    /// Nobody writes to us. If nobody reads from us either, the peer is gone.
    fn notice_departure(&mut self) {
        if self.outgoing.is_deserted() {
            self.lose_writer();
        }
        self.end_of_last_words();
    }

    /// Everything that the peer has written is read. If it is gone, that was all.
    fn end_of_last_words(&mut self) {
        if self.leaving {
            let relieved_of = std::mem::take(&mut self.relieved_of);
            let left = if relieved_of == 0 { self.inbox.peer() } else { relieved_of };
            self.depart(left);
        }
    }

    /// The peer has left, and another life of it may have come so soon that our pipe was never
    /// without a reader: this is the only sign of it.
    fn end_peers_life(&mut self) {
        if self.one_peer && self.inbox.has_met() {
            self.depart(self.inbox.peer());
        }
    }

    fn depart(&mut self, peer: u64) {
        self.leaving = false;
        let farewell = peer != 0 && self.inbox.farewell() == peer;
        self.inbox.forget_peer();
        if self.one_peer {
            // Who gave this life up, or takes it for gone, shall know the next one from it.
            self.inbox.renew_life();
        }
        self.stats.peers_lost += 1;
        let cut = self.outbox.rewind();
        let departure = self.departure.get_or_insert_default();
        departure.farewell = farewell;
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
        Departure { lost, unsent, farewell: false }
    }

    fn leave_reader(&mut self) {
        self.stats.replaced += 1;
        self.inbox.discard();
        // Whoever asked through it is gone with it, and must not keep the next from being heard.
        self.outbox.forget_answers();
        // Nothing will tell from here on whether whoever wrote to it still lives, or has given us up.
        let met = self.outgoing.end().is_some() || self.inbox.has_met();
        if self.leaving || (self.one_peer && met) {
            self.depart(self.inbox.peer());
        }
    }

    /// Looks now and then whether both paths still lead here.
    fn check_standing(&mut self, now: Instant) -> Result<()> {
        // Both when either is due: one wake-up instead of two.
        if !self.incoming.is_due(now) && !self.outgoing.is_due(now) {
            return Ok(());
        }
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
