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
use super::wire::Options;
use crate::stats::RoundTrips;

/// Whose requests are in hand.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    open: Few<Caller, Hand>,
    /// Those among them whose answers somebody wants.
    wanted: usize,
    /// Those that are to be worked on, and that nobody ever waited for.
    quiet: usize,
    /// When requests were taken up whose answers were queued since the time was known last.
    untimed: Vec<Instant>,
    times: RoundTrips,
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
    /// Whether nobody ever waited for an answer.
    quiet: bool,
    streams: Option<Box<Streams>>,
    /// Since when it is, where the time until its answer says how long the work takes: it does not
    /// where streams do.
    since: Option<Instant>,
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
        self.open.contains_key(&caller)
    }

    /// Whether anything is worked on that nobody waits for, and that is to be done all the same.
    pub(crate) fn has_quiet(&self) -> bool {
        self.quiet > 0
    }

    /// Whether this request is worked on, and never wanted an answer.
    pub(crate) fn is_quiet(&self, caller: Caller) -> bool {
        self.quiet > 0 && self.open.get(&caller).is_some_and(|hand| hand.quiet)
    }

    /// A request with these options is handed out.
    pub(crate) fn take_up(&mut self, caller: Caller, options: &Options, now: Instant) {
        let (quiet, streams) = (options.quiet, Streams::of_server(options));
        *self.count_of(quiet) += 1;
        let since = streams.is_none().then_some(now);
        let hand = Hand { state: State::Running, quiet, streams, since, watchers: Vec::new() };
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

    /// The request is answered for. Whoever waits for something else to come of it is woken.
    pub(crate) fn put_down(&mut self, caller: Caller, woken: &mut Vec<Key>) {
        if let Some(hand) = self.open.remove(&caller) {
            *self.count_of(hand.quiet) -= usize::from(!matches!(hand.state, State::Unwanted(_)));
            if !hand.watchers.is_empty() {
                woken.extend(hand.watchers);
            }
        }
    }

    /// One call is cancelled.
    pub(crate) fn cancel(&mut self, caller: Caller, woken: &mut Vec<Key>) -> Option<Stopped> {
        let hand = self.open.get_mut(&caller)?;
        let (quiet, stopped) = (hand.quiet, hand.stop(Unwanted::Cancelled, woken)?);
        *self.count_of(quiet) -= 1;
        Some(stopped)
    }

    /// A client has left or is given up, with all of its calls: answers what was under way.
    pub(crate) fn end_client(
        &mut self,
        epoch: u64,
        why: Unwanted,
        woken: &mut Vec<Key>,
    ) -> Vec<Stopped> {
        let wanted = &mut self.wanted;
        let left = self.open.iter_mut();
        let left = left.filter(|(caller, hand)| caller.epoch == epoch && !hand.quiet);
        // In the order of their numbers, so that a run can be repeated exactly.
        let left: BTreeMap<_, _> = left.collect();
        let stopped = left.into_values().filter_map(|hand| {
            let stopped = hand.stop(why, woken)?;
            *wanted -= 1;
            Some(stopped)
        });
        stopped.collect()
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
        if let Some(streams) = self.streams.take() {
            let Streams { inflow, outflow, .. } = *streams;
            woken.extend(inflow.and_then(|inflow| inflow.waiter));
            let waited = outflow.and_then(|mut outflow| outflow.withdraw());
            stopped = waited.map_or(stopped, Stopped::Item);
        }
        Some(stopped)
    }
}
