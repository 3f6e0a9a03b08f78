//! Requests in hand: handed out, and not answered to the last byte.
//!
//! A request leaves this table exactly once, with the outcome of its answer. Until then its client
//! may cancel it or leave, and whoever has it can learn that nobody wants the answer.

use std::collections::BTreeMap;
use std::time::Instant;

use super::errand::Key;
use super::few::Few;
use super::outbox::Ticket;
use super::streams::Streams;
use super::wire::{Options, RequestKey};
use crate::stats::RoundTrips;

/// Whose requests are in hand.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    open: Few<Caller, Hand>,
    /// Those among them whose answers somebody wants.
    wanted: usize,
    /// Those that are to be worked on, and that nobody waits for.
    quiet: usize,
    /// When requests were taken up whose answers were queued since the time was known last.
    untimed: Vec<Instant>,
    times: RoundTrips,
    /// Those that may carry items.
    streaming: usize,
    /// Those that were asked for again, by who has asked last.
    attached: BTreeMap<Caller, Caller>,
}

/// Whom a reply is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Caller {
    pub(super) epoch: u64,
    pub(super) id: u64,
}

/// One request that was handed out.
#[derive(Debug)]
struct Hand {
    state: State,
    /// Whether nobody waits for an answer, and there is work to do all the same.
    quiet: bool,
    streams: Option<Box<Streams>>,
    /// Since when it is, where the time until its answer says how long the work takes: it does not
    /// where streams do.
    since: Option<Instant>,
    /// The key by which it may be asked for again: then its client may leave.
    key: Option<RequestKey>,
    /// Whom the answer is for.
    to: Caller,
    /// The keys of those that wait to hear that nobody wants the answer.
    watchers: Vec<Key>,
}

/// How far the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Replying(Ticket),
    Unwanted(Unwanted),
}

/// Why nobody wants an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwanted {
    /// The call was cancelled.
    Cancelled,
    /// The client has left.
    Gone,
    /// The client does not read, and was given up.
    Stalled,
    /// The request is answered: of an item, that it came too late.
    Answered,
}

/// What was under way, now that an answer is unwanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    Handler,
    Reply(Ticket),
    /// An item that waited for room.
    Item(Ticket),
}

impl Caller {
    /// The number that the caller has given its request.
    pub(crate) fn id(self) -> u64 {
        self.id
    }

    /// The caller's life.
    #[cfg(test)]
    pub(crate) fn life(self) -> u64 {
        self.epoch
    }
}

impl Hands {
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether any request in hand may carry items.
    pub(crate) fn has_streams(&self) -> bool {
        self.streaming > 0
    }

    /// Whether anybody wants any of the answers.
    pub(crate) fn has_wanted(&self) -> bool {
        self.wanted > 0
    }

    /// All requests, and the replies to them that are on their way.
    #[cfg(test)]
    pub(crate) fn each(&self) -> impl Iterator<Item = (Caller, Option<Ticket>)> {
        self.open.iter().map(|(caller, hand)| match hand.state {
            State::Replying(ticket) => (*caller, Some(ticket)),
            State::Running | State::Unwanted(_) => (*caller, None),
        })
    }

    pub(crate) fn has(&self, caller: Caller) -> bool {
        self.open.contains_key(&caller) || self.attached.contains_key(&caller)
    }

    /// Whom the answer to this request is for: whoever has asked for it last.
    pub(crate) fn asker(&self, caller: Caller) -> Caller {
        if self.attached.is_empty() {
            return caller;
        }
        self.open.get(&caller).map_or(caller, |hand| hand.to)
    }

    /// The key of a request in hand.
    pub(crate) fn key(&self, caller: Caller) -> Option<RequestKey> {
        self.open.get(&caller).and_then(|hand| hand.key)
    }

    /// Those with a key that are worked on, and that nobody has stopped.
    #[cfg(test)]
    pub(crate) fn keyed(&self) -> usize {
        let running = |hand: &&Hand| hand.key.is_some() && hand.state == State::Running;
        self.open.values().filter(running).count()
    }

    /// Whether anything is worked on that nobody waits for, and that is to be done all the same.
    pub(crate) fn has_quiet(&self) -> bool {
        self.quiet > 0
    }

    /// Whether this request is worked on, and nobody waits for an answer.
    pub(crate) fn is_quiet(&self, caller: Caller) -> bool {
        self.quiet > 0 && self.open.get(&caller).is_some_and(|hand| hand.quiet)
    }

    /// A request with these options is handed out, of a client that has left or is here.
    pub(crate) fn take_up(&mut self, caller: Caller, options: &Options, left: bool, now: Instant) {
        let (streams, key) = (Streams::of_server(options), options.key.filter(|_| !options.quiet));
        // What has a key is worked on, whether its client is here or comes again.
        let quiet = options.quiet || (key.is_some() && left);
        *self.count_of(quiet) += 1;
        let since = streams.is_none().then_some(now);
        self.streaming += usize::from(streams.is_some());
        let (state, watchers) = (State::Running, Vec::new());
        let hand = Hand { state, quiet, streams, since, key, to: caller, watchers };
        self.open.insert(caller, hand);
    }

    /// The streams of a request that is still wanted.
    pub(crate) fn streams(&mut self, caller: Caller) -> Option<&mut Streams> {
        let hand = self.open.get_mut(&caller)?;
        match hand.state {
            State::Unwanted(_) => None,
            State::Running | State::Replying(_) => hand.streams.as_deref_mut(),
        }
    }

    /// The item that is on its way, or waits for room.
    pub(crate) fn item(&self, caller: Caller) -> Option<Ticket> {
        if self.streaming == 0 {
            return None;
        }
        let hand = self.open.get(&caller).filter(|hand| hand.streams.is_some())?;
        match hand.state {
            State::Replying(ticket) => Some(ticket),
            State::Running | State::Unwanted(_) => None,
        }
    }

    /// An item is on its way no longer; more may follow.
    pub(crate) fn resume(&mut self, caller: Caller) {
        let hand = self.open.get_mut(&caller);
        if let Some(hand) = hand.filter(|hand| matches!(hand.state, State::Replying(_))) {
            hand.state = State::Running;
        }
    }

    /// Times the answers that were queued since this was called last: what is queued is stepped at
    /// once, so that the time of that step is theirs.
    #[inline]
    pub(crate) fn time_answers(&mut self, now: Instant) {
        while let Some(since) = self.untimed.pop() {
            self.times.record(now.saturating_duration_since(since));
        }
    }

    /// How long requests were in hand until their answers were queued.
    pub(crate) fn times(&self) -> &RoundTrips {
        &self.times
    }

    /// Whom the answer would be for, if anybody, once `by` asks for it: `None` where nobody waits.
    pub(crate) fn displaced(&self, caller: Caller) -> Option<Caller> {
        self.open.get(&caller).filter(|hand| !hand.quiet).map(|hand| hand.to)
    }

    /// The answer to this request is for `by` from here on.
    pub(crate) fn attach(&mut self, caller: Caller, by: Caller) {
        let Some(hand) = self.open.get_mut(&caller) else { return };
        let before = std::mem::replace(&mut hand.to, by);
        if std::mem::take(&mut hand.quiet) {
            self.quiet -= 1;
            self.wanted += 1;
        }
        self.attached.remove(&before);
        self.attached.insert(by, caller);
    }

    fn count_of(&mut self, quiet: bool) -> &mut usize {
        if quiet { &mut self.quiet } else { &mut self.wanted }
    }

    /// From here on this key is woken when nobody wants the answer any more.
    #[cfg(any(test, feature = "tokio", feature = "async-io"))]
    pub(crate) fn watch(&mut self, caller: Caller, key: Key) {
        if let Some(hand) = self.open.get_mut(&caller) {
            hand.watchers.push(key);
        }
    }

    /// Nobody waits under this key any more.
    #[cfg(any(test, feature = "tokio", feature = "async-io"))]
    pub(crate) fn stop_watching(&mut self, caller: Caller, key: Key) {
        if let Some(hand) = self.open.get_mut(&caller) {
            hand.watchers.retain(|watcher| *watcher != key);
        }
    }

    /// Whether there is nothing to wait for: the answer is unwanted, or given.
    pub(crate) fn is_settled(&self, caller: Caller) -> bool {
        self.open.get(&caller).is_none_or(|hand| matches!(hand.state, State::Unwanted(_)))
    }

    /// Whether nobody wants the answer any more, and why.
    pub(crate) fn unwanted(&self, caller: Caller) -> Option<Unwanted> {
        match self.open.get(&caller)?.state {
            State::Unwanted(why) => Some(why),
            State::Running | State::Replying(_) => None,
        }
    }

    /// The answer is on its way.
    pub(crate) fn replying(&mut self, caller: Caller, ticket: Ticket) {
        if let Some(hand) = self.open.get_mut(&caller) {
            hand.state = State::Replying(ticket);
            self.untimed.extend(hand.since);
        }
    }

    /// The request is answered for. Whoever waits for something else to come of it is woken;
    /// answers an item that waited for room, and never has any.
    pub(crate) fn put_down(&mut self, caller: Caller, woken: &mut Vec<Key>) -> Option<Ticket> {
        if let Some(mut hand) = self.open.remove(&caller) {
            if !self.attached.is_empty() {
                self.attached.remove(&hand.to);
            }
            *self.count_of(hand.quiet) -= usize::from(!matches!(hand.state, State::Unwanted(_)));
            if !hand.watchers.is_empty() {
                woken.append(&mut hand.watchers);
            }
            if hand.streams.is_some() {
                let waited = hand.end_streams(woken);
                self.streaming -= 1;
                return waited;
            }
        }
        None
    }

    /// The request that is worked on for this caller.
    pub(crate) fn of(&self, caller: Caller) -> Option<Caller> {
        let name = self.attached.get(&caller).copied().unwrap_or(caller);
        self.open.get(&name).filter(|hand| hand.to == caller).map(|_| name)
    }

    /// One call is cancelled.
    pub(crate) fn cancel(&mut self, caller: Caller, woken: &mut Vec<Key>) -> Option<Stopped> {
        let name = self.of(caller)?;
        let hand = self.open.get_mut(&name)?;
        let (quiet, stopped) = (hand.quiet, hand.stop(Unwanted::Cancelled, woken)?);
        *self.count_of(quiet) -= 1;
        Some(stopped)
    }

    /// A client has left or is given up, with all of its calls: answers what was under way. What
    /// has a key goes on, for whoever asks again.
    pub(crate) fn end_client(
        &mut self,
        epoch: u64,
        why: Unwanted,
        woken: &mut Vec<Key>,
    ) -> Vec<Stopped> {
        let theirs = self.open.iter_mut().filter(|(_, hand)| hand.to.epoch == epoch);
        // In the order of their numbers, so that a run can be repeated exactly.
        let theirs: BTreeMap<_, _> = theirs.map(|(_, hand)| (hand.to, hand)).collect();
        let mut all = Vec::new();
        for hand in theirs.into_values().filter(|hand| !hand.quiet) {
            if hand.key.is_some() && hand.state == State::Running {
                hand.quiet = true;
                self.quiet += 1;
                self.wanted -= 1;
                continue;
            }
            let Some(stopped) = hand.stop(why, woken) else { continue };
            self.wanted -= 1;
            all.push(stopped);
        }
        all
    }
}

impl Hand {
    fn stop(&mut self, why: Unwanted, woken: &mut Vec<Key>) -> Option<Stopped> {
        let mut stopped = match self.state {
            State::Running => Stopped::Handler,
            State::Replying(ticket) => Stopped::Reply(ticket),
            State::Unwanted(_) => return None,
        };
        self.state = State::Unwanted(why);
        woken.extend(&self.watchers);
        if let Some(waited) = self.end_streams(woken) {
            stopped = Stopped::Item(waited);
        }
        Some(stopped)
    }

    /// Nothing more is sent or taken; answers an item that waited for room.
    fn end_streams(&mut self, woken: &mut Vec<Key>) -> Option<Ticket> {
        let streams = self.streams.as_mut()?;
        if let Some(mut inflow) = streams.inflow.take() {
            woken.append(&mut inflow.waiters());
        }
        streams.outflow.take().and_then(|mut outflow| outflow.withdraw())
    }
}
