//! The calling side of a session.

mod cancelling;
mod departing;
#[cfg(test)]
mod inspect;
mod outcome;
mod retrying;
mod streaming;

use std::path::Path;
use std::time::{Duration, Instant};

use super::calls::{Asks, CallId, Calls, Wants};
use super::cancels::Cancels;
use super::closing::{Closing, Stage};
use super::errand::Key;
use super::event::{Event, Verb};
use super::link::{Departure, Directions, Link};
use super::reconnect::{Reconnect, Redial};
use super::repeats::Repeats;
use super::session::Session;
use super::step::Wait;
use super::wire::{self, Head, Options};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::pipe::{Opener, Sink, Source};
use crate::stats::RoundTrips;

/// Many calls over one link. Every method is one step and waits for nothing.
#[derive(Debug)]
pub(crate) struct Caller<R: Opener, W: Opener> {
    link: Link<R, W>,
    calls: Calls,
    cancels: Cancels,
    repeats: Repeats,
    closing: Closing,
    manners: Manners,
    redial: Redial,
    /// Why there are no more calls, where the client does not reconnect.
    ended: Option<ErrorKind>,
    /// Those that wait for the end of the client.
    attendants: Vec<Key>,
    last_id: CallId,
    /// The first life of this client, for the keys that it draws.
    root: u64,
    stall: Duration,
    /// Bytes of requests that may wait to be written, or be kept to be put again.
    max_queued: usize,
    /// Whether what the last step has heard gives something to write.
    answers: bool,
    /// What was heard of which call since somebody asked.
    #[cfg(test)]
    heard: Vec<(CallId, Verb)>,
}

/// How a client treats its server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// Whether the server is told of calls that are given up.
    pub(crate) cancel_abandoned: bool,
    pub(crate) reconnect: Reconnect,
    /// How often a call is put again that may be.
    pub(crate) max_retries: u32,
}

/// What a client is held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientLimits {
    /// Calls in flight.
    pub(crate) calls: usize,
    /// Bytes of requests that wait to be written; one request is always let in.
    pub(crate) queued_bytes: usize,
    /// How long no byte of them may move.
    pub(crate) stall: Duration,
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Caller<R, W> {
    pub(crate) fn new(mut link: Link<R, W>, limits: ClientLimits, manners: Manners) -> Self {
        link.expect_one_peer();
        if manners.reconnect == Reconnect::Never {
            link.expect_one_life();
        }
        let (calls, cancels) = (Calls::new(limits.calls), Cancels::default());
        let ClientLimits { stall, queued_bytes: max_queued, .. } = limits;
        let root = link.addresses().ours;
        Self {
            link,
            calls,
            cancels,
            repeats: Repeats::default(),
            closing: Closing::default(),
            manners,
            redial: Redial::default(),
            ended: None,
            attendants: Vec::new(),
            last_id: 0,
            root,
            stall,
            max_queued,
            answers: false,
            #[cfg(test)]
            heard: Vec::new(),
        }
    }

    pub(crate) fn link(&self) -> &Link<R, W> {
        &self.link
    }

    pub(crate) fn link_mut(&mut self) -> &mut Link<R, W> {
        &mut self.link
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.calls.len()
    }

    /// An empty body for [`call`](Self::call), with room for its head at its start.
    pub(crate) fn request_body(&mut self, options: &Options) -> Vec<u8> {
        let mut body = self.link.outbox().spare();
        body.resize(Head::len_with(options), 0);
        body
    }

    /// Queues a request: a body begun by [`request_body`](Self::request_body), its head written, at
    /// the place that is held for it if there is one; or a ping, which needs none.
    pub(crate) fn call(
        &mut self,
        body: Vec<u8>,
        asks: Asks,
        place: Option<CallId>,
    ) -> Result<CallId> {
        let verb = if asks.wants == Wants::Pong { Verb::Ping } else { Verb::Request };
        if self.is_closing() {
            return Err(self.closed());
        }
        let placed = place.is_some_and(|key| self.calls.take_place(key));
        let full = match asks.wants {
            Wants::Pong => self.calls.has_many_pings(),
            _ => !placed && self.calls.is_full(),
        };
        if full {
            return Err(self.overloaded());
        }
        if self.calls.len() == 0 || self.link.outbox().is_empty() {
            self.link.restart_stall();
        }
        self.last_id = wire::next_id(self.last_id);
        let id = self.last_id;
        let ticket = self.link.outbox().push(Event::to(0, verb, id, body));
        self.calls.begin(id, ticket, asks);
        self.look_at_queue();
        Ok(id)
    }

    /// Asks for a place among the calls in flight; answers the key it goes by.
    pub(crate) fn reserve(&mut self) -> CallId {
        self.last_id = wire::next_id(self.last_id);
        self.calls.reserve(self.last_id);
        self.last_id
    }

    /// A place among the calls in flight, where there is one at once.
    pub(crate) fn try_reserve(&mut self) -> Option<CallId> {
        let key = self.reserve();
        if self.holds_place(key) {
            return Some(key);
        }
        self.give_place_back(key);
        None
    }

    /// Whether the place is held.
    pub(crate) fn holds_place(&self, key: CallId) -> bool {
        self.calls.holds(key)
    }

    /// There is no place for one more call.
    #[cold]
    pub(crate) fn overloaded(&self) -> Error {
        Error::new(ErrorKind::Overloaded, Phase::Write).with_fate(Fate::NotSent)
    }

    /// A place is no longer asked for.
    pub(crate) fn give_place_back(&mut self, key: CallId) {
        self.calls.give_place_back(key);
    }

    /// Whether there is room for the bytes of one more request.
    fn look_at_queue(&mut self) {
        let bytes = self.link.outbox().queued_bytes().saturating_add(self.repeats.bytes());
        let congested = bytes >= self.max_queued;
        self.calls.set_congested(congested);
    }

    /// Moves bytes and matches replies with calls.
    pub(crate) fn step(&mut self, now: Instant, directions: Directions) -> Result<Wait> {
        let stepped = self.link.step(now, directions);
        let was_full = self.link.is_full();
        while let Some(event) = self.link.next_event() {
            self.hear(event, now);
        }
        // Behind the events: a reply that came before its server left is a reply.
        if let Some(departure) = self.link.take_departure() {
            self.end_calls(departure, ErrorKind::PeerClosed);
        }
        self.end_bound_calls();
        self.look_at_queue();
        let mut wait = stepped?;
        let room = was_full && !self.link.is_full();
        if room || std::mem::take(&mut self.answers) {
            // There is room again for what was left unheard, and nothing announces it twice; or
            // there is something to write, and what the step has written went before it.
            wait.until = Deadline::at(now);
        }
        if self.link.stall_passes(self.stall, now) {
            let outbox = self.link.outbox();
            self.calls.wake(|ticket| outbox.holds(ticket));
        }
        self.calls.note_written(self.link.outbox());
        if self.go_on_closing() {
            wait.until = Deadline::at(now);
        }
        wait = wait.no_later_than(self.redial(now)?);
        Ok(wait.no_later_than(self.link.stall_ends(self.stall, now)))
    }

    fn hear(&mut self, event: Event, now: Instant) {
        #[cfg(test)]
        self.heard.push((event.id, event.verb));
        let left_over = match event.verb {
            Verb::Reply | Verb::Failure | Verb::Pong | Verb::End => {
                let (id, failed) = (event.id, event.verb == Verb::Failure);
                if event.verb == Verb::End {
                    self.hear_end(&event);
                }
                // An answer is to somebody: one to whoever reads is to nobody.
                let unclaimed = match event.to {
                    0 => Some(event),
                    _ if self.hear_declined(&event) => return self.link.recycle(event.body),
                    _ => self.calls.answer(event, now),
                };
                self.link.stats.late += u64::from(unclaimed.is_some());
                if failed && unclaimed.is_none() && self.calls.has_streams(id) {
                    // It may be our own: what there is no room for fails the call on this side
                    // alone.
                    self.push_cancel(id);
                    self.answers = true;
                }
                unclaimed
            }
            Verb::Cancelled => {
                self.hear_cancelled(&event);
                Some(event)
            }
            Verb::Item => self.hear_item(event),
            Verb::Credit => {
                self.hear_credit(&event);
                Some(event)
            }
            // None of these waits to be taken: a client hears of no requests.
            Verb::Goodbye | Verb::Request | Verb::Cancel | Verb::Ping => Some(event),
        };
        if let Some(event) = left_over {
            self.link.recycle(event.body);
        }
    }

    /// Whose callers have something to look at since this was asked last.
    pub(crate) fn wakeups(&mut self) -> &mut Vec<CallId> {
        self.calls.wakeups()
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Session for Caller<R, W> {
    type R = R;
    type W = W;

    fn link(&self) -> &Link<R, W> {
        &self.link
    }

    fn link_mut(&mut self) -> &mut Link<R, W> {
        &mut self.link
    }

    fn path(&self, phase: Phase) -> &Path {
        match phase {
            Phase::Read | Phase::Reply | Phase::Decode => self.link.incoming().path(),
            _ => self.link.outgoing().path(),
        }
    }

    fn waits_in(&self, phase: Phase) -> Phase {
        // A reply is not what a call waits for as long as nobody reads its request.
        let unread = phase == Phase::Reply && self.link.writer().is_none();
        if unread { Phase::Open } else { phase }
    }

    fn step(&mut self, now: Instant, directions: Directions) -> Result<Wait> {
        self.step(now, directions)
    }

    fn wakeups(&mut self) -> &mut Vec<Key> {
        self.wakeups()
    }

    #[cfg(any(feature = "tokio", feature = "async-io"))]
    fn is_busy(&self) -> bool {
        self.calls.len() > 1
    }

    fn in_flight(&self) -> usize {
        self.calls.len()
    }

    fn times(&self) -> &RoundTrips {
        self.calls.round_trips()
    }

    fn begin_close(&mut self) -> Key {
        self.last_id = wire::next_id(self.last_id);
        self.closing.ask(self.last_id);
        self.calls.refuse_places();
        self.go_on_closing();
        self.last_id
    }

    fn has_drained(&self) -> bool {
        self.closing.stage() == Stage::Done
    }

    fn stop_closing(&mut self, key: Key) {
        self.closing.leave(key);
    }

    fn abort(&mut self) {
        let mut departure = Departure::default();
        if !self.link.is_closed() {
            departure = self.link.begin_life();
        }
        self.cancels.end(self.calls.wakeups());
        let mut unsent = [departure.lost, departure.unsent].concat();
        unsent.sort_unstable();
        let repeats = &self.repeats;
        self.calls.end_all(ErrorKind::Closed, |id, ticket| {
            let written = unsent.binary_search(&ticket).is_err() && !repeats.waits(id);
            let last = if written { Fate::MaybeDelivered } else { Fate::NotSent };
            Some(repeats.fate(id, last))
        });
        self.let_go();
    }
}
