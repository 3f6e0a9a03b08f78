//! The answering side of a session.

mod control;
mod departing;
#[cfg(test)]
mod inspect;
mod keyed;
mod replying;
mod streaming;

use std::path::Path;
use std::time::{Duration, Instant};

use super::closing::{Closing, Stage};
use super::errand::Key;
pub(crate) use super::hands::Caller;
use super::hands::{Hands, Unwanted};
use super::keys::{KeyLimits, Keys};
use super::link::{Directions, Link};
use super::outbox::{self, Ticket};
use super::recv::EndOfWriters;
use super::session::Session;
use super::step::Wait;
use super::wire::{FailureCode, Head, Options, Unreadable};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::pipe::{Opener, Sink, Source};
use crate::stats::RoundTrips;
use keyed::Meeting;

/// Requests in, replies out. Every method is one step and waits for nothing.
#[derive(Debug)]
pub(crate) struct Answerer<R: Opener, W: Opener> {
    link: Link<R, W>,
    stamper: fn(Instant) -> u64,
    /// What it has said last, and of which instant.
    stamped: Option<(Instant, u64)>,
    stall: Duration,
    on_end: EndOfWriters,
    hung_up: bool,
    /// Whether another step is due: there is room to hear more, or something to say.
    made_room: bool,
    /// Whether requests were taken since there was no room to hear more: there may be more to hear
    /// that was read already, and no event of the FIFO tells of it.
    unheard: bool,
    /// Replies whose senders have not asked what became of them.
    awaited: usize,
    hands: Hands,
    keys: Keys,
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
    /// The head and the message: see [`Asked::message`].
    body: Vec<u8>,
    message_at: usize,
    options: Options,
    /// When the caller stops waiting.
    pub(crate) deadline: Deadline,
}

/// Who has asked, how long that one waits, and for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) caller: Caller,
    pub(crate) deadline: Deadline,
    pub(crate) options: Options,
}

impl Asked {
    pub(crate) fn asker(&self) -> Asker {
        Asker { caller: self.caller, deadline: self.deadline, options: self.options }
    }

    pub(crate) fn message(&self) -> &[u8] {
        &self.body[self.message_at..]
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
    /// A server over a link; `stamper` says the number that the monotonic clock reads at an
    /// instant.
    pub(crate) fn new(
        link: Link<R, W>,
        stall: Duration,
        on_end: EndOfWriters,
        stamper: fn(Instant) -> u64,
    ) -> Self {
        Self {
            link,
            stamper,
            stamped: None,
            stall,
            on_end,
            hung_up: false,
            made_room: false,
            unheard: false,
            awaited: 0,
            hands: Hands::default(),
            keys: Keys::new(KeyLimits::default()),
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
        self.hands.time_answers(now);
        self.link.hear_through(self.hands.has_streams());
        let read = std::mem::take(&mut self.unheard) || directions.read;
        let stepped = self.link.step(now, Directions { read, ..directions });
        let hung_up = self.link.take_hang_up();
        self.hung_up |= hung_up;
        if let Some(departure) = self.link.take_departure() {
            departure.lost.into_iter().for_each(|ticket| self.lose(ticket, Unwanted::Gone));
            self.end_client(Unwanted::Gone);
        }
        self.meet_client();
        self.keys.forget(now);
        let room = self.link.has_fresh() && self.drop_expired(now);
        self.unheard |= room;
        let answers = self.answer_control() | self.hear_flows();
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

    fn drop_expired(&mut self, now: Instant) -> bool {
        let now_ns = self.stamp(now);
        self.link.drop_expired(now_ns)
    }

    /// The number that the monotonic clock reads at an instant. A step and the look that follows it
    /// ask for that of the same one.
    pub(crate) fn stamp(&mut self, now: Instant) -> u64 {
        match self.stamped {
            Some((at, number)) if at == now => number,
            _ => self.stamped.insert((now, (self.stamper)(now))).1,
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
        if !self.link.has_events() {
            self.made_room = false;
            return self.no_request();
        }
        let was_full = self.link.is_full();
        let said = self.link.outbox().last_ticket();
        let next = self.next_awaited(now, now_ns);
        let room = was_full && !self.link.is_full();
        self.made_room = room || self.link.outbox().last_ticket() > said;
        self.unheard |= room;
        next
    }

    /// Whether there is more to hear, now that requests nobody waits for are dropped, or something
    /// to say: then what the last step said to wait for is not all, and another step is due.
    pub(crate) fn made_room(&self) -> bool {
        self.made_room
    }

    fn next_awaited(&mut self, now: Instant, now_ns: u64) -> Result<Option<Asked>> {
        let said = self.link.outbox().last_ticket();
        while let Some(event) = self.link.next_event() {
            // Requests are all that waits to be taken at a server.
            let caller = Caller { epoch: event.from, id: event.id };
            if self.hands.has(caller) {
                // A number is used once; whose it is must be beyond doubt.
                self.link.stats.unknown += 1;
                self.link.recycle(event.body);
                continue;
            }
            let (head, message_at) = match Head::read(&event.body) {
                Ok(read) => read,
                Err(why) => {
                    self.link.stats.unknown += 1;
                    let quiet = Head::is_quiet(&event.body);
                    self.link.recycle(event.body);
                    if why == Unreadable::Unknown && !quiet {
                        let words = "this server does not know what the request asks for";
                        self.queue_refusal(caller, FailureCode::Unsupported, words.to_owned());
                    }
                    continue;
                }
            };
            let (left, mut options) = (head.remaining.left_at(now_ns), head.options);
            if options.quiet {
                // Nobody waits for items either, nor keeps sending them.
                options = Options { quiet: true, ..Options::default() };
            }
            if left.is_some_and(|left| left.is_zero()) {
                self.link.stats.expired += 1;
                self.link.recycle(event.body);
                continue;
            }
            self.link.greet(now);
            let deadline = left.map_or(Deadline::NEVER, |left| Deadline::after(now, left));
            match self.meet_key(caller, &options, deadline) {
                Meeting::First => {}
                Meeting::Again => {
                    self.link.recycle(event.body);
                    if self.link.outbox().last_ticket() > said {
                        // What there is to say is said before a handler begins.
                        return Ok(None);
                    }
                    continue;
                }
                Meeting::NoRoom => {
                    self.link.put_back(event);
                    return Ok(None);
                }
            }
            self.hands.take_up(caller, &options, caller.epoch != self.client, now);
            self.link.stats.taken += 1;
            return Ok(Some(Asked { caller, body: event.body, message_at, options, deadline }));
        }
        self.no_request()
    }

    /// No request is here, which may be the end.
    fn no_request(&self) -> Result<Option<Asked>> {
        if self.hung_up && self.on_end == EndOfWriters::End {
            return Err(Error::new(ErrorKind::PeerClosed, Phase::Read));
        }
        Ok(None)
    }

    pub(crate) fn spare(&mut self) -> Vec<u8> {
        self.link.outbox().spare()
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

    fn times(&self) -> &RoundTrips {
        self.hands.times()
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
