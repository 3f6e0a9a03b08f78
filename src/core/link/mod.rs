//! One endpoint's two FIFOs as one connection that carries events both ways at once.
//!
//! A step writes what there is room for *and* reads what is there, so that neither direction ever
//! waits for the other: two peers that write to each other at the same time cannot block.

mod counting;
mod departing;
#[cfg(test)]
mod inspect;
mod reading;
mod writing;

use std::time::Instant;

use super::event::{Event, Lives};
use super::inbox::{Ask, Flow, Inbox, Limits};
use super::outbox::{Outbox, Ticket};
use super::read_side::ReadSide;
use super::step::{Step, Wait};
use super::write_side::WriteSide;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};
use crate::stats::{Eviction, LinkStats};

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
    /// Whether nothing is to be written to whoever comes after that peer.
    one_life: bool,
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
    /// Events up to this one may have been said to whoever reads, and lie there for the next.
    pub(crate) said_to_anybody: Ticket,
    /// The life that all events behind that one were said to; zero for unknown.
    pub(crate) peer: u64,
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
            one_life: false,
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

    /// With the life of the peer this link ends too.
    pub(crate) fn expect_one_life(&mut self) {
        self.one_life = true;
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

    /// Whether somebody waits for what may come behind requests that wait.
    pub(crate) fn hear_through(&mut self, through: bool) {
        self.inbox.hear_through(through);
    }

    /// Whether a client has said anything of streams.
    pub(crate) fn has_flows(&self) -> bool {
        self.inbox.has_flows()
    }

    /// Whether the peer asks anything that was not answered.
    pub(crate) fn has_asks(&self) -> bool {
        self.inbox.has_asks()
    }

    /// An event that was taken last is the next again.
    pub(crate) fn put_back(&mut self, event: Event) {
        self.inbox.put_back(event);
    }

    /// Our life, and the one that is spoken to; zero for whoever reads.
    pub(crate) fn addresses(&self) -> Lives {
        self.inbox.addresses()
    }

    /// Takes what the peer asks and was not answered.
    pub(crate) fn asks(&mut self) -> Vec<Ask> {
        self.inbox.asks()
    }

    /// Takes what clients have said of streams.
    pub(crate) fn flows(&mut self) -> Vec<Flow> {
        self.inbox.flows()
    }

    /// Whether events have come that nobody has looked at.
    pub(crate) fn has_fresh(&self) -> bool {
        self.inbox.has_fresh()
    }

    /// Drops requests that nobody waited for any more when they came; answers whether that has made
    /// room to hear more.
    pub(crate) fn drop_expired(&mut self, now_ns: u64) -> bool {
        let was_full = self.is_full();
        let expired = self.inbox.drop_expired(now_ns);
        self.stats.expired += expired;
        expired > 0 && was_full && !self.is_full()
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
        // What is left is for the next peer, where there is to be one.
        let ended = self.one_life && self.departure.is_some();
        if directions.write && !self.leaving && !ended {
            self.write(now, &mut wait)?;
        }
        if self.leaving {
            wait.until = Deadline::at(now);
        }
        Ok(wait)
    }
}
