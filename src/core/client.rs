//! The calling side of a session.

use std::path::Path;
use std::time::{Duration, Instant};

use super::calls::{Answer, CallId, Calls};
use super::cancels::Cancels;
use super::closing::{Closing, Stage};
use super::errand::Key;
use super::event::{Event, Verb};
use super::link::{Departure, Directions, Link};
use super::outbox::TakenBack;
use super::reconnect::{Reconnect, Redial};
use super::session::Session;
use super::step::Wait;
use super::wire::{self, Failure, FailureCode, Found, Remaining};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::pipe::{Opener, Sink, Source};

/// Many calls over one link. Every method is one step and waits for nothing.
#[derive(Debug)]
pub(crate) struct Caller<R: Opener, W: Opener> {
    link: Link<R, W>,
    calls: Calls,
    cancels: Cancels,
    closing: Closing,
    manners: Manners,
    redial: Redial,
    /// Why there are no more calls, where the client does not reconnect.
    ended: Option<ErrorKind>,
    /// Those that wait for the end of the client.
    attendants: Vec<Key>,
    last_id: CallId,
    stall: Duration,
    /// Bytes of requests that may wait to be written.
    max_queued: usize,
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
        let (calls, cancels) = (Calls::new(limits.calls), Cancels::default());
        let ClientLimits { stall, queued_bytes: max_queued, .. } = limits;
        Self {
            link,
            calls,
            cancels,
            closing: Closing::default(),
            manners,
            redial: Redial::default(),
            ended: None,
            attendants: Vec::new(),
            last_id: 0,
            stall,
            max_queued,
            #[cfg(test)]
            heard: Vec::new(),
        }
    }

    /// Leaves it to the server to find out that nobody waits for a call any more.
    #[cfg(test)]
    pub(crate) fn abandon_silently(&mut self) {
        self.manners.cancel_abandoned = false;
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

    /// Places among the calls in flight that are held or waited for.
    #[cfg(test)]
    pub(crate) fn reserved(&self) -> usize {
        self.calls.reserved()
    }

    /// Whether it is decided how a call ends.
    #[cfg(test)]
    pub(crate) fn is_answered(&self, id: CallId) -> bool {
        self.calls.is_answered(id)
    }

    /// Whether nothing of a call's request is left to be written.
    #[cfg(test)]
    pub(crate) fn is_written(&mut self, id: CallId) -> bool {
        self.calls.ticket(id).is_some_and(|ticket| !self.link.outbox().holds(ticket))
    }

    /// Whether a call would end if its owner looked.
    #[cfg(test)]
    pub(crate) fn has_outcome(&mut self, id: CallId, now: Instant) -> bool {
        let Some(ticket) = self.calls.ticket(id) else { return true };
        let stalled = self.link.stalled_for(self.stall, now) && self.link.outbox().holds(ticket);
        stalled || self.calls.is_answered(id)
    }

    /// Whether no table holds anything of a call.
    #[cfg(test)]
    pub(crate) fn is_idle(&mut self) -> bool {
        let queued = self.link.has_events() || !self.link.outbox().is_empty();
        let counted = self.calls.len() + self.calls.reserved() + self.link.outbox().unasked();
        !queued && counted == 0 && self.cancels.is_empty()
    }

    /// Takes what was heard of which call since this was asked last.
    #[cfg(test)]
    pub(crate) fn take_heard(&mut self) -> Vec<(CallId, Verb)> {
        std::mem::take(&mut self.heard)
    }

    /// Fails where the tables say different things.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        self.link.check();
        self.calls.check();
    }

    /// How many wait for the end of this call.
    #[cfg(test)]
    pub(crate) fn cancellers(&self, id: CallId) -> usize {
        self.cancels.waiters(id)
    }

    /// An empty body for [`call`](Self::call), with room for the remaining time at its start.
    pub(crate) fn request_body(&mut self) -> Vec<u8> {
        let mut body = self.link.outbox().spare();
        body.resize(Remaining::LEN, 0);
        body
    }

    /// Queues a request: a body begun by [`request_body`](Self::request_body), at the place that
    /// is held for it if there is one.
    pub(crate) fn call(
        &mut self,
        mut body: Vec<u8>,
        left: Option<Duration>,
        now_ns: u64,
        place: Option<CallId>,
    ) -> Result<CallId> {
        let remaining = Remaining::new(left, now_ns).to_bytes();
        body[..Remaining::LEN].copy_from_slice(&remaining);
        self.begin(Verb::Request, body, place)
    }

    /// Queues a ping.
    pub(crate) fn ping(&mut self) -> Result<CallId> {
        self.begin(Verb::Ping, Vec::new(), None)
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

    /// Whether no more calls are begun.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.has_begun() || self.ended.is_some()
    }

    /// There are no more calls.
    pub(crate) fn closed(&self) -> Error {
        let why = self.ended.unwrap_or(ErrorKind::Closed);
        Error::new(why, Phase::Write).with_fate(Fate::NotSent)
    }

    /// Whether there is nothing to look after any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.link.is_closed()
    }

    /// Somebody waits for the end of the client; answers under which key that one is woken.
    pub(crate) fn attend(&mut self) -> Key {
        self.last_id = wire::next_id(self.last_id);
        self.attendants.push(self.last_id);
        self.last_id
    }

    /// Nobody waits under this key for the end of the client any more.
    pub(crate) fn stop_attending(&mut self, key: Key) {
        self.attendants.retain(|attendant| *attendant != key);
    }

    /// There is no place for one more call.
    pub(crate) fn overloaded(&self) -> Error {
        Error::new(ErrorKind::Overloaded, Phase::Write).with_fate(Fate::NotSent)
    }

    /// A place is no longer asked for.
    pub(crate) fn give_place_back(&mut self, key: CallId) {
        self.calls.give_place_back(key);
    }

    /// Begins a call, at the place that is held for it if there is one.
    fn begin(&mut self, verb: Verb, body: Vec<u8>, place: Option<CallId>) -> Result<CallId> {
        if self.is_closing() {
            return Err(self.closed());
        }
        let placed = place.is_some_and(|key| self.calls.take_place(key));
        let full = match verb {
            Verb::Ping => self.calls.has_many_pings(),
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
        self.calls.begin(id, ticket, verb == Verb::Ping);
        self.look_at_queue();
        Ok(id)
    }

    /// Whether there is room for the bytes of one more request.
    fn look_at_queue(&mut self) {
        let congested = self.link.outbox().queued_bytes() >= self.max_queued;
        self.calls.set_congested(congested);
    }

    /// Moves bytes and matches replies with calls.
    pub(crate) fn step(&mut self, now: Instant, directions: Directions) -> Result<Wait> {
        let stepped = self.link.step(now, directions);
        let was_full = self.link.is_full();
        while let Some(event) = self.link.next_event() {
            self.hear(event);
        }
        // Behind the events: a reply that came before its server left is a reply.
        if let Some(departure) = self.link.take_departure() {
            self.end_calls(departure, ErrorKind::PeerClosed);
        }
        self.look_at_queue();
        let mut wait = stepped?;
        if was_full && !self.link.is_full() {
            // There is room again for what was left unheard, and nothing announces it twice.
            wait.until = Deadline::at(now);
        }
        if self.link.stall_passes(self.stall, now) {
            let outbox = self.link.outbox();
            self.calls.wake(|ticket| outbox.holds(ticket));
        }
        self.link.outbox().forget_written();
        if self.go_on_closing() {
            wait.until = Deadline::at(now);
        }
        wait = wait.no_later_than(self.redial(now)?);
        Ok(wait.no_later_than(self.link.stall_ends(self.stall, now)))
    }

    /// Opens the request FIFO that no call waits for, where that is wanted; answers when to try
    /// again.
    fn redial(&mut self, now: Instant) -> Result<Deadline> {
        let Reconnect::InBackground { first, most } = self.manners.reconnect else {
            return Ok(Deadline::NEVER);
        };
        if self.link.writer().is_some() || self.is_closing() || !self.link.outbox().is_empty() {
            self.redial.succeeded();
            return Ok(Deadline::NEVER);
        }
        if self.redial.is_due(now) && !self.link.try_connect(now)? {
            self.redial.failed(now, first, most);
        }
        Ok(self.redial.next())
    }

    /// Lets go of both FIFOs, and wakes those that wait for that.
    fn let_go(&mut self) {
        self.link.close();
        self.calls.refuse_places();
        self.calls.wakeups().append(&mut self.attendants);
        self.closing.enter(Stage::Done, self.calls.wakeups());
    }

    /// Takes the next step towards the end, where that is wanted and possible; answers whether it
    /// did.
    fn go_on_closing(&mut self) -> bool {
        let next = match self.closing.stage() {
            Stage::Draining if self.calls.has_unanswered() || !self.cancels.is_empty() => {
                return false;
            }
            Stage::Draining if !self.link.outbox().is_empty() => return false,
            // Nobody has read anything of ours: there is nobody to take leave of.
            Stage::Draining if self.link.writer().is_none() => Stage::Done,
            Stage::Draining => {
                self.link.outbox().push_cancel(Event::to(0, Verb::Goodbye, 0, Vec::new()));
                Stage::Saying
            }
            Stage::Saying if !self.link.outbox().is_empty() => return false,
            Stage::Saying => {
                self.link.half_close();
                Stage::Hearing
            }
            // One that was never heard says nothing; one that has left is forgotten.
            Stage::Hearing if self.link.peer() != 0 && self.link.farewell() != self.link.peer() => {
                return false;
            }
            Stage::Hearing => Stage::Done,
            Stage::Open | Stage::Done => return false,
        };
        self.closing.enter(next, self.calls.wakeups());
        true
    }

    /// The server has left, or is given up: ends the calls whose requests it may have seen.
    fn end_calls(&mut self, departure: Departure, why: ErrorKind) {
        self.cancels.end(self.calls.wakeups());
        let Departure { lost, mut unsent, farewell } = departure;
        let written = if farewell { Fate::NotSent } else { Fate::MaybeDelivered };
        let never = self.manners.reconnect == Reconnect::Never;
        unsent.sort_unstable();
        self.calls.end_all(why, |ticket| match () {
            () if lost.contains(&ticket) => Some(Fate::NotSent),
            () if unsent.binary_search(&ticket).is_ok() => never.then_some(Fate::NotSent),
            () => Some(written),
        });
        if never {
            self.ended = Some(why);
            self.let_go();
        }
    }

    fn hear(&mut self, event: Event) {
        #[cfg(test)]
        self.heard.push((event.id, event.verb));
        let left_over = match event.verb {
            Verb::Reply | Verb::Failure | Verb::Pong => {
                // An answer is to somebody: one to whoever reads is to nobody.
                let unclaimed = match event.to {
                    0 => Some(event),
                    _ => self.calls.answer(event),
                };
                self.link.stats.late += u64::from(unclaimed.is_some());
                unclaimed
            }
            Verb::Cancelled => {
                self.hear_cancelled(&event);
                Some(event)
            }
            // None of these waits to be taken: a client hears of no requests.
            Verb::Goodbye | Verb::Request | Verb::Cancel | Verb::Ping => Some(event),
        };
        if let Some(event) = left_over {
            self.link.recycle(event.body);
        }
    }

    /// Nothing more of a call will come: ends it, unless its reply was here first.
    fn hear_cancelled(&mut self, event: &Event) {
        if event.to == 0 {
            // To whoever reads is to nobody.
            self.link.stats.late += 1;
            return;
        }
        let fate = match Found::from_bytes(&event.body) {
            Found::Waiting => Fate::NotSent,
            Found::InHand => Fate::Delivered,
            Found::Nothing => Fate::MaybeDelivered,
        };
        // Also where whoever cancelled it waits no longer.
        self.calls.end(event.id, ErrorKind::Cancelled, fate);
        self.cancels.acknowledge(event.id, self.calls.wakeups());
    }

    /// Has a call stopped; answers under which key the caller of this is woken when [that is
    /// so](Self::is_cancelling). What of its request is unwritten never will be.
    pub(crate) fn cancel(&mut self, id: CallId) -> Key {
        self.last_id = wire::next_id(self.last_id);
        let key = self.last_id;
        if self.cancels.awaits(id) {
            self.cancels.ask(id, key);
            return key;
        }
        let Some(ticket) = self.calls.ticket(id).filter(|_| self.calls.is_open(id)) else {
            return key;
        };
        self.link.stats.cancelled += 1;
        let taken = self.link.outbox().take_back(ticket);
        match taken {
            TakenBack::NotSent { .. } => self.calls.end(id, ErrorKind::Cancelled, Fate::NotSent),
            TakenBack::Written => {
                self.cancels.ask(id, key);
            }
        }
        // Where nothing of it was written there is nothing to tell.
        if taken != (TakenBack::NotSent { begun: false }) {
            self.push_cancel(id);
        }
        self.look_at_queue();
        self.go_on_closing();
        key
    }

    fn push_cancel(&mut self, id: CallId) {
        if self.link.outbox().is_empty() {
            self.link.restart_stall();
        }
        self.link.outbox().push_cancel(Event::to(0, Verb::Cancel, id, Vec::new()));
    }

    /// Whether the server has yet to say that nothing more of this call will come.
    pub(crate) fn is_cancelling(&self, id: CallId) -> bool {
        self.cancels.awaits(id)
    }

    /// Nobody waits under this key for the end of a call any more.
    pub(crate) fn stop_cancelling(&mut self, id: CallId, key: Key) {
        self.cancels.leave(id, key);
        if self.calls.ticket(id).is_none() {
            self.cancels.disown(id);
        }
    }

    /// The server does not keep to what was agreed: this life of the client ends, and the next one
    /// begins with the next call. Whatever comes for this one from here on is late.
    pub(crate) fn poison(&mut self) -> Error {
        let departure = self.link.begin_life();
        self.link.stats.poisoned += 1;
        self.end_calls(departure, ErrorKind::Poisoned);
        self.link.doubt_peer();
        self.look_at_queue();
        self.go_on_closing();
        Error::new(ErrorKind::TimedOut, Phase::Cancel).with_fate(Fate::MaybeDelivered)
    }

    /// Whose callers have something to look at since this was asked last.
    pub(crate) fn wakeups(&mut self) -> &mut Vec<CallId> {
        self.calls.wakeups()
    }

    /// What a call was answered with, by the server or by its departure.
    pub(crate) fn answer(&mut self, id: CallId) -> Option<Result<Event>> {
        let answer = self.calls.take(id)?;
        self.cancels.disown(id);
        match answer {
            Answer::Event(event) if event.verb == Verb::Failure => {
                let error = failed(&Failure::from_bytes(&event.body));
                self.link.recycle(event.body);
                Some(Err(error))
            }
            Answer::Event(event) => Some(Ok(event)),
            Answer::Without(why, fate) => {
                let phase = if fate == Fate::NotSent { Phase::Write } else { Phase::Reply };
                Some(Err(Error::new(why, phase).with_fate(fate)))
            }
        }
    }

    /// How a call has ended, if it has; at its deadline it does.
    pub(crate) fn outcome(
        &mut self,
        id: CallId,
        now: Instant,
        deadline: Deadline,
    ) -> Option<Result<Event>> {
        if let Some(answer) = self.answer(id) {
            return Some(answer);
        }
        if deadline.passed(now) {
            return Some(Err(self.expire(id)));
        }
        let ticket = self.calls.ticket(id)?;
        let stalled = self.link.stalled_for(self.stall, now) && self.link.outbox().holds(ticket);
        stalled.then(|| Err(self.expire(id)))
    }

    /// Gives a call up, and says what it was waiting for.
    pub(crate) fn expire(&mut self, id: CallId) -> Error {
        let not_open = self.link.writer_refused();
        match self.give_up(id) {
            TakenBack::NotSent { begun } => {
                let error = not_open.filter(|_| !begun);
                error
                    .unwrap_or_else(|| Error::new(ErrorKind::WriteStalled, Phase::Write))
                    .with_fate(Fate::NotSent)
            }
            TakenBack::Written => {
                self.link.doubt_peer();
                let silent = self.link.had_writer();
                let kind = if silent { ErrorKind::TimedOut } else { ErrorKind::NoWriter };
                Error::new(kind, Phase::Reply).with_fate(Fate::MaybeDelivered)
            }
        }
    }

    /// Takes a call out of every table. What its request has left unwritten is never written.
    pub(crate) fn give_up(&mut self, id: CallId) -> TakenBack {
        let Some(ticket) = self.calls.ticket(id) else { return TakenBack::Written };
        let open = self.calls.is_open(id);
        self.calls.give_up(id);
        let taken = self.link.outbox().take_back(ticket);
        let tell = match taken {
            TakenBack::NotSent { begun: false } => false,
            // The server holds parts of it; it may drop them.
            TakenBack::NotSent { begun: true } => true,
            TakenBack::Written => open && self.manners.cancel_abandoned && !self.cancels.awaits(id),
        };
        if tell {
            self.push_cancel(id);
        }
        self.cancels.disown(id);
        self.look_at_queue();
        self.go_on_closing();
        taken
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
        let written =
            |ticket| !departure.lost.contains(&ticket) && !departure.unsent.contains(&ticket);
        self.calls.end_all(ErrorKind::Closed, |ticket| {
            Some(if written(ticket) { Fate::MaybeDelivered } else { Fate::NotSent })
        });
        self.let_go();
    }
}

/// What the server said, as an error.
fn failed(failure: &Failure) -> Error {
    let (kind, fate) = match failure.code {
        FailureCode::TooLarge => (ErrorKind::TooLarge, Fate::MaybeDelivered),
        FailureCode::Overloaded => (ErrorKind::Overloaded, Fate::NotSent),
        FailureCode::Expired => (ErrorKind::TimedOut, Fate::NotSent),
        FailureCode::Stale | FailureCode::Closing => (ErrorKind::PeerClosed, Fate::NotSent),
        FailureCode::Cancelled => (ErrorKind::Cancelled, Fate::Delivered),
        FailureCode::Codec => (ErrorKind::Codec, Fate::Delivered),
        FailureCode::Handler
        | FailureCode::Panic
        | FailureCode::Dropped
        | FailureCode::Other(_) => (ErrorKind::Remote, Fate::Delivered),
    };
    Error::new(kind, Phase::Reply).detailed(failure.message.as_str()).with_fate(fate)
}
