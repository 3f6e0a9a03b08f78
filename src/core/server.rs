//! The answering side of a session.

use std::path::Path;
use std::time::{Duration, Instant};

use super::closing::{Closing, Stage};
use super::errand::Key;
use super::event::{Event, Verb};
pub(crate) use super::hands::Caller;
use super::hands::{Hands, Stopped, Unwanted};
use super::inbox::Ask;
use super::link::{Directions, Link};
use super::outbox::{self, TakenBack, Ticket};
use super::recv::EndOfWriters;
use super::session::Session;
use super::step::Wait;
use super::wire::{Failure, FailureCode, Found, Load, Remaining};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};
use crate::pipe::{Opener, Sink, Source};

/// Requests in, replies out. Every method is one step and waits for nothing.
#[derive(Debug)]
pub(crate) struct Answerer<R: Opener, W: Opener> {
    link: Link<R, W>,
    stamp: fn(Instant) -> u64,
    stall: Duration,
    on_end: EndOfWriters,
    hung_up: bool,
    /// Whether dropping what nobody waits for has made room to hear more.
    made_room: bool,
    /// Whether requests were taken since there was no room to hear more: there may be more to hear
    /// that was read already, and no event of the FIFO tells of it.
    unheard: bool,
    /// Replies whose senders have not asked what became of them.
    awaited: usize,
    hands: Hands,
    /// Requests that were ever handed out.
    taken: u64,
    /// Replies among them that nobody wants any more, and why.
    lost: Vec<(Ticket, Unwanted)>,
    /// The client that is here now; zero for none.
    client: u64,
    /// Whether goodbye was said to it.
    seen_off: bool,
    /// Whether it has not been told what became of a request that was taken: then a goodbye would
    /// say more than is so.
    owes: bool,
    closing: Closing,
    wakeups: Vec<Ticket>,
}

/// Whoever waits for the next request, among the wake-ups.
pub(crate) const NEXT_REQUEST: Ticket = 0;

/// Whoever listens without wanting a request, among the wake-ups: no ticket is as large.
pub(crate) const LISTENER: Ticket = Ticket::MAX - 1;

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) caller: Caller,
    /// The remaining time and the message: see [`Asked::message`].
    body: Vec<u8>,
    /// When the caller stops waiting.
    pub(crate) deadline: Deadline,
}

impl Asked {
    pub(crate) fn message(&self) -> &[u8] {
        &self.body[Remaining::LEN..]
    }

    #[cfg(test)]
    pub(crate) fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The memory of a short request, for its reply to be written in; a long one is given back.
    pub(crate) fn into_memory(mut self) -> Result<Vec<u8>, Vec<u8>> {
        if !outbox::is_short(&self.body) {
            return Err(self.body);
        }
        self.body.clear();
        Ok(self.body)
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Answerer<R, W> {
    /// A server over a link; `stamp` is the number that the monotonic clock reads at an instant.
    pub(crate) fn new(
        link: Link<R, W>,
        stall: Duration,
        on_end: EndOfWriters,
        stamp: fn(Instant) -> u64,
    ) -> Self {
        Self {
            link,
            stamp,
            stall,
            on_end,
            hung_up: false,
            made_room: false,
            unheard: false,
            awaited: 0,
            hands: Hands::default(),
            taken: 0,
            lost: Vec::new(),
            client: 0,
            seen_off: false,
            owes: false,
            closing: Closing::default(),
            wakeups: Vec::new(),
        }
    }

    pub(crate) fn link(&self) -> &Link<R, W> {
        &self.link
    }

    pub(crate) fn link_mut(&mut self) -> &mut Link<R, W> {
        &mut self.link
    }

    /// Moves bytes.
    pub(crate) fn step(&mut self, now: Instant, directions: Directions) -> Result<Wait> {
        let read = std::mem::take(&mut self.unheard) || directions.read;
        let stepped = self.link.step(now, Directions { read, ..directions });
        let hung_up = self.link.take_hang_up();
        self.hung_up |= hung_up;
        if let Some(departure) = self.link.take_departure() {
            departure.lost.into_iter().for_each(|ticket| self.lose(ticket, Unwanted::Gone));
            self.end_client(Unwanted::Gone);
        }
        self.meet_client();
        let was_full = self.link.is_full();
        self.link.drop_expired(|| (self.stamp)(now));
        let room = was_full && !self.link.is_full();
        self.unheard |= room;
        let answers = self.answer_control();
        self.link.outbox().drain_written(&mut self.wakeups);
        if self.link.has_events() || hung_up {
            self.wakeups.push(NEXT_REQUEST);
        }
        let evicts = self.link.stall_passes(self.stall, now);
        if evicts {
            self.evict(now);
        }
        let closed = self.see_off() | self.go_on_closing();
        let mut wait = stepped?;
        if answers || room || closed || evicts {
            // What the step has written went before them, and what it has heard is not all.
            wait.until = Deadline::at(now);
        }
        Ok(wait.no_later_than(self.link.stall_ends(self.stall, now)))
    }

    /// Another client may speak now: the one before it waits for nothing any more.
    fn meet_client(&mut self) {
        let speaker = self.link.speaker();
        if speaker != self.client && speaker != 0 {
            self.end_client(Unwanted::Gone);
            self.client = speaker;
            (self.seen_off, self.owes) = (false, false);
        }
    }

    /// The client has left, or is given up: what was on its way to it is taken back.
    fn end_client(&mut self, why: Unwanted) {
        let client = std::mem::take(&mut self.client);
        for ticket in self.hands.end_client(client, why, &mut self.wakeups) {
            self.stop_reply(ticket, why);
        }
    }

    /// The client has not read for too long: it is given up, with all of its calls, so that whoever
    /// has replies for it learns so at once and nothing more is kept for it.
    fn evict(&mut self, now: Instant) {
        let eviction = self.link.eviction(self.client, now);
        self.end_client(Unwanted::Stalled);
        self.link.evict(eviction);
        // What was dropped has made room to hear more.
        self.unheard = true;
    }

    /// A client that has said goodbye, and has all its answers, is told so and let go: it reads to
    /// the end of the FIFO. Answers whether anything was done.
    fn see_off(&mut self) -> bool {
        let leaves = self.client != 0 && self.link.farewell() == self.client;
        if !leaves || self.link.has_events() || !self.has_answered() {
            return false;
        }
        if !self.seen_off && !self.owes {
            self.seen_off = true;
            self.say_goodbye();
        } else {
            self.link.half_close();
            self.link.forget_peer();
            self.end_client(Unwanted::Gone);
        }
        true
    }

    /// Whether all that was taken is answered to the last byte.
    fn has_answered(&mut self) -> bool {
        !self.hands.has_wanted() && self.link.outbox().is_empty()
    }

    fn say_goodbye(&mut self) {
        let goodbye = Event::to(self.client, Verb::Goodbye, 0, Vec::new());
        self.link.outbox().push_answer(goodbye);
    }

    /// Takes the next step towards the end, where that is wanted and possible; answers whether it
    /// did. What has come and was not taken is declined first, so that the goodbye is the last word.
    fn go_on_closing(&mut self) -> bool {
        let next = match self.closing.stage() {
            Stage::Draining => {
                let declined = self.decline_requests();
                match self.has_answered() {
                    false => return declined,
                    true if self.link.writer().is_none() || self.owes => Stage::Done,
                    true => {
                        self.say_goodbye();
                        Stage::Saying
                    }
                }
            }
            Stage::Saying if self.has_answered() => Stage::Done,
            Stage::Open | Stage::Saying | Stage::Hearing | Stage::Done => return false,
        };
        self.closing.enter(next, &mut self.wakeups);
        true
    }

    fn decline_requests(&mut self) -> bool {
        let mut any = false;
        while !self.link.outbox().is_bothered(0) {
            let Some(event) = self.link.next_event() else { break };
            let mut body = self.spare();
            Failure::new(FailureCode::Closing, "the server closes".into()).append_to(&mut body);
            let declined = Event::to(event.from, Verb::Failure, event.id, body);
            self.link.outbox().push_answer(declined);
            any = true;
            self.link.recycle(event.body);
        }
        any
    }

    fn stop_reply(&mut self, ticket: Ticket, why: Unwanted) {
        if self.link.outbox().take_back(ticket) != TakenBack::Written {
            self.lose(ticket, why);
        }
    }

    fn lose(&mut self, ticket: Ticket, why: Unwanted) {
        self.wakeups.push(ticket);
        if self.awaited > 0 {
            self.lost.push((ticket, why));
        }
    }

    /// Answers the control that has come; answers whether there was any.
    fn answer_control(&mut self) -> bool {
        let asks = self.link.asks();
        let any = !asks.is_empty();
        for ask in asks {
            let answer = match ask {
                Ask::Ping(Event { from, id, mut body, .. }) => {
                    self.load().append_to(&mut body);
                    Event::to(from, Verb::Pong, id, body)
                }
                Ask::Cancel { key: (epoch, id), waited } => {
                    let found = self.cancel(Caller { epoch, id }, waited);
                    let mut body = self.spare();
                    body.push(found.to_byte());
                    Event::to(epoch, Verb::Cancelled, id, body)
                }
            };
            self.link.outbox().push_answer(answer);
        }
        any
    }

    /// Stops what is cancelled; answers what was found of it. The reply to a cancelled call is taken
    /// back before the cancel is acknowledged, so nothing of the call follows that.
    fn cancel(&mut self, caller: Caller, waited: bool) -> Found {
        let found = match self.hands.cancel(caller, &mut self.wakeups) {
            Some(Stopped::Reply(ticket)) => {
                self.stop_reply(ticket, Unwanted::Cancelled);
                Found::InHand
            }
            Some(Stopped::Handler) => Found::InHand,
            None if waited => Found::Waiting,
            None if self.link.outbox().take_back_refusal(caller.epoch, caller.id) => Found::InHand,
            None => Found::Nothing,
        };
        self.link.stats.cancelled += u64::from(found != Found::Nothing);
        found
    }

    /// How much there is to do.
    pub(crate) fn load(&mut self) -> Load {
        Load {
            taken: self.taken,
            in_hand: self.hands.len() as u64,
            waiting: self.link.waiting() as u64,
            queued_bytes: self.link.outbox().queued_bytes() as u64,
        }
    }

    /// Has whoever listens look whether that is still wanted.
    pub(crate) fn call_listener(&mut self) {
        self.wakeups.push(LISTENER);
    }

    /// Who has something to look at since this was asked last.
    pub(crate) fn wakeups(&mut self) -> &mut Vec<Ticket> {
        &mut self.wakeups
    }

    /// The next request that somebody still waits for. `Err` once the last client has left, where
    /// that is the end. Where there is none, see [`made_room`](Self::made_room).
    pub(crate) fn next_request(&mut self, now: Instant, now_ns: u64) -> Result<Option<Asked>> {
        if self.closing.has_begun() {
            return Err(Error::new(ErrorKind::Closed, Phase::Read));
        }
        let was_full = self.link.is_full();
        let next = self.next_awaited(now, now_ns);
        self.made_room = was_full && !self.link.is_full();
        self.unheard |= self.made_room;
        next
    }

    /// Whether there is more to hear, now that requests nobody waits for are dropped: then what
    /// the last step said to wait for is not all, and another step is due.
    pub(crate) fn made_room(&self) -> bool {
        self.made_room
    }

    fn next_awaited(&mut self, now: Instant, now_ns: u64) -> Result<Option<Asked>> {
        while let Some(event) = self.link.next_event() {
            // Requests are all that waits to be taken at a server.
            let caller = Caller { epoch: event.from, id: event.id };
            if self.hands.has(caller) {
                // A number is used once; whose it is must be beyond doubt.
                self.link.stats.unknown += 1;
                self.link.recycle(event.body);
                continue;
            }
            let Some(left) = Remaining::split(&event.body).map(|(time, _)| time.left_at(now_ns))
            else {
                self.link.stats.unknown += 1;
                self.link.recycle(event.body);
                continue;
            };
            if left.is_some_and(|left| left.is_zero()) {
                self.link.stats.expired += 1;
                self.link.recycle(event.body);
                continue;
            }
            self.link.greet(now);
            let deadline = left.map_or(Deadline::NEVER, |left| Deadline::after(now, left));
            self.hands.take_up(caller);
            self.taken += 1;
            return Ok(Some(Asked { caller, body: event.body, deadline }));
        }
        if self.hung_up && self.on_end == EndOfWriters::End {
            return Err(Error::new(ErrorKind::PeerClosed, Phase::Read));
        }
        Ok(None)
    }

    /// Queues a reply: a body whose memory came from [`spare`](Self::spare) or anywhere. `Err`
    /// where nobody wants it any more.
    pub(crate) fn reply(&mut self, caller: Caller, body: Vec<u8>) -> Result<Ticket> {
        self.answer(Verb::Reply, caller, body)
    }

    /// Queues the news that a call failed. `Err` where nobody wants it any more.
    pub(crate) fn fail(
        &mut self,
        caller: Caller,
        code: FailureCode,
        words: String,
    ) -> Result<Ticket> {
        let mut body = self.spare();
        Failure::new(code, words).append_to(&mut body);
        self.answer(Verb::Failure, caller, body)
    }

    /// Queues the news that a call failed, for nobody to wait for: its client may never read it, and
    /// one that lets such news pile up does without more of them.
    pub(crate) fn refuse(&mut self, caller: Caller, code: FailureCode, words: String) {
        let unwanted = self.unwanted(caller).is_some();
        self.hands.put_down(caller, &mut self.wakeups);
        if !unwanted {
            self.queue_refusal(caller, code, words);
        }
    }

    /// A reply that was begun is given up: its caller is told so, unless it was written.
    pub(crate) fn abandon_reply(&mut self, ticket: Ticket, caller: Caller) -> TakenBack {
        let unwanted = self.unwanted(caller).is_some();
        let taken = self.link.outbox().take_back(ticket);
        self.give_up(ticket, caller);
        if taken != TakenBack::Written && !unwanted {
            let words = "the request was dropped without an answer";
            self.queue_refusal(caller, FailureCode::Dropped, words.to_owned());
        }
        taken
    }

    fn queue_refusal(&mut self, caller: Caller, code: FailureCode, words: String) {
        let mut body = self.spare();
        Failure::new(code, words).append_to(&mut body);
        let refusal = Event::to(caller.epoch, Verb::Failure, caller.id, body);
        let queued = self.link.outbox().push_refusal(refusal);
        self.link.stats.unanswered += u64::from(!queued);
        self.owes |= !queued && caller.epoch == self.client;
    }

    pub(crate) fn spare(&mut self) -> Vec<u8> {
        self.link.outbox().spare()
    }

    /// Why nobody wants an answer to this request any more, where that is so.
    fn unwanted(&self, caller: Caller) -> Option<Unwanted> {
        let gone = caller.epoch != self.client || self.link.is_closed();
        let gone = gone.then_some(Unwanted::Gone);
        self.hands.unwanted(caller).or(gone)
    }

    /// Whether there is nothing to wait for: nobody wants the answer any more, or it is given.
    pub(crate) fn is_settled(&self, caller: Caller) -> bool {
        self.hands.is_settled(caller) || self.unwanted(caller).is_some()
    }

    /// Wakes whoever waits under the key that this answers once the request [is
    /// settled](Self::is_settled).
    #[cfg(any(test, feature = "tokio", feature = "async-io"))]
    pub(crate) fn watch(&mut self, caller: Caller) -> Key {
        let key = self.link.outbox().draw_ticket();
        self.hands.watch(caller, key);
        key
    }

    /// Nobody waits under this key any more.
    #[cfg(any(test, feature = "tokio", feature = "async-io"))]
    pub(crate) fn stop_watching(&mut self, caller: Caller, key: Key) {
        self.hands.stop_watching(caller, key);
    }

    fn answer(&mut self, verb: Verb, caller: Caller, body: Vec<u8>) -> Result<Ticket> {
        if let Some(why) = self.unwanted(caller) {
            self.hands.put_down(caller, &mut self.wakeups);
            self.link.recycle(body);
            self.link.stats.unanswered += 1;
            return Err(unwanted(why));
        }
        let event = Event::to(caller.epoch, verb, caller.id, body);
        if self.awaited == 0 || self.link.outbox().is_empty() {
            self.link.restart_stall();
        }
        self.awaited += 1;
        let ticket = self.link.outbox().push(event);
        self.hands.replying(caller, ticket);
        Ok(ticket)
    }

    /// What became of a reply, where that is decided.
    pub(crate) fn known_outcome(&mut self, ticket: Ticket) -> Option<Result<()>> {
        if let Some((_, why)) = self.lost.iter().find(|(lost, _)| *lost == ticket) {
            return Some(Err(unwanted(*why)));
        }
        (!self.link.outbox().holds(ticket)).then_some(Ok(()))
    }

    /// Whether a reply is written, if that is known; at its deadline it is.
    pub(crate) fn outcome(
        &mut self,
        ticket: Ticket,
        now: Instant,
        deadline: Deadline,
    ) -> Option<Result<()>> {
        if let Some(outcome) = self.known_outcome(ticket) {
            return Some(outcome);
        }
        if !deadline.passed(now) && !self.link.stalled_for(self.stall, now) {
            return None;
        }
        let not_open = self.link.writer_refused();
        Some(match self.link.outbox().take_back(ticket) {
            TakenBack::Written => Ok(()),
            TakenBack::NotSent { begun } => Err(not_open
                .filter(|_| !begun)
                .unwrap_or_else(|| Error::new(ErrorKind::WriteStalled, Phase::Write))
                .with_fate(Fate::NotSent)),
        })
    }

    /// A reply that was not written is given up: its caller is told so, if it still waits.
    pub(crate) fn give_up_unsent(&mut self, ticket: Ticket, caller: Caller) {
        let wanted = self.unwanted(caller).is_none();
        self.give_up(ticket, caller);
        if wanted {
            let words = "the reply was given up before it was written";
            self.queue_refusal(caller, FailureCode::Dropped, words.to_owned());
        }
    }

    /// Nobody asks any more what became of this reply. What of it is unwritten never will be.
    pub(crate) fn give_up(&mut self, ticket: Ticket, caller: Caller) {
        self.link.outbox().take_back(ticket);
        self.hands.put_down(caller, &mut self.wakeups);
        self.awaited = self.awaited.saturating_sub(1);
        let none_awaited = self.awaited == 0;
        self.lost.retain(|(lost, _)| *lost != ticket && !none_awaited);
    }

    /// Nobody will ask what became of this reply, which is still to be written.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn forget(&mut self, ticket: Ticket, caller: Caller) {
        self.hands.put_down(caller, &mut self.wakeups);
        self.awaited = self.awaited.saturating_sub(1);
        self.lost.retain(|(lost, _)| *lost != ticket);
    }

    /// Whether the wait for this reply would end if its owner looked.
    #[cfg(test)]
    pub(crate) fn has_outcome(&mut self, ticket: Ticket, now: Instant) -> bool {
        self.known_outcome(ticket).is_some() || self.link.stalled_for(self.stall, now)
    }

    /// Whether no table holds anything of a request or of a reply.
    #[cfg(test)]
    pub(crate) fn is_idle(&mut self) -> bool {
        let queued = self.link.has_events() || !self.link.outbox().is_empty();
        let counted = self.hands.len() + self.awaited + self.link.outbox().unasked();
        !queued && counted == 0 && self.lost.is_empty()
    }

    /// Why no request has come.
    pub(crate) fn silence(&self) -> Error {
        let kind = if self.link.had_writer() { ErrorKind::TimedOut } else { ErrorKind::NoWriter };
        Error::new(kind, Phase::Read)
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Session for Answerer<R, W> {
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
            Phase::Encode | Phase::Write => self.link.outgoing().path(),
            _ => self.link.incoming().path(),
        }
    }

    fn step(&mut self, now: Instant, directions: Directions) -> Result<Wait> {
        self.step(now, directions)
    }

    fn wakeups(&mut self) -> &mut Vec<Key> {
        self.wakeups()
    }

    #[cfg(any(feature = "tokio", feature = "async-io"))]
    fn is_busy(&self) -> bool {
        // Those whose replies are on their way are in hand too.
        self.hands.len() > self.awaited || self.awaited > 1
    }

    fn in_flight(&self) -> usize {
        self.hands.len()
    }

    fn begin_close(&mut self) -> Key {
        let key = self.link.outbox().draw_ticket();
        self.closing.ask(key);
        self.wakeups.push(NEXT_REQUEST);
        // What lies in the pipe is declined; the next step reads it.
        self.unheard = true;
        key
    }

    fn has_drained(&self) -> bool {
        self.closing.stage() == Stage::Done
    }

    fn stop_closing(&mut self, key: Key) {
        self.closing.leave(key);
    }

    fn abort(&mut self) {
        self.end_client(Unwanted::Gone);
        self.link.close();
        self.wakeups.extend([NEXT_REQUEST, LISTENER]);
        self.closing.enter(Stage::Done, &mut self.wakeups);
    }
}

/// What the owner of an answer is told that nobody wants.
fn unwanted(why: Unwanted) -> Error {
    let kind = match why {
        Unwanted::Cancelled => ErrorKind::Cancelled,
        Unwanted::Gone => ErrorKind::PeerClosed,
        Unwanted::Stalled => ErrorKind::WriteStalled,
    };
    Error::new(kind, Phase::Write).with_fate(Fate::NotSent)
}
