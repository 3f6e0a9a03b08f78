//! The keys of requests that this life of a server has taken, and what was answered to them.
//!
//! A key that is known is never handed out again: not because many others came since, and not
//! because its answer was too large to be kept. Where there is no room for one more, it is the new
//! request that is refused. So the table is bounded, and the promise is not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::event::Verb;
use super::hands::Caller;
use super::wire::RequestKey;
use crate::deadline::Deadline;

/// What is known of the keys that were taken.
#[derive(Debug)]
pub(crate) struct Keys {
    limits: KeyLimits,
    /// Peers choose the keys, so they are compared and not hashed.
    known: BTreeMap<RequestKey, Known>,
    /// Those that may be forgotten, by when.
    ends: BTreeSet<(Instant, RequestKey)>,
    /// Those that were answered since the clock was looked at last.
    fresh: Vec<RequestKey>,
    /// Bytes of the answers that are kept.
    bytes: usize,
}

/// What there is room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyLimits {
    pub(crate) keys: usize,
    /// Bytes of answers.
    pub(crate) bytes: usize,
    /// How long an answer is kept at least.
    pub(crate) retention: Duration,
}

#[derive(Debug)]
struct Known {
    /// The latest by which anybody who has asked waits.
    deadline: Deadline,
    state: State,
}

#[derive(Debug)]
enum State {
    /// In hand, under this name.
    Running(Caller),
    /// Answered; forgotten from this instant on, once that is known.
    Done(Said, Option<Instant>),
}

/// An answer as it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A reply or a failure.
    Answer(Verb, Vec<u8>),
    /// It was larger than there was room for.
    Unkept,
}

/// How a key stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    /// Nobody has asked under it.
    New,
    /// Nobody has, and there is no room for one more.
    NoRoom,
    Running(Caller),
    Done(&'a Said),
}

impl Default for KeyLimits {
    fn default() -> Self {
        Self { keys: MAX_KEYS, bytes: MAX_KEY_BYTES, retention: RETENTION }
    }
}

/// Keys, unless told otherwise: four times the calls that a client has in flight, so that all of
/// them may come again several times within the retention.
const MAX_KEYS: usize = 4096;

/// Bytes of answers, unless told otherwise: the largest message.
const MAX_KEY_BYTES: usize = 16 << 20;

/// How long an answer is kept, unless told otherwise: whoever asks again has noticed within seconds
/// that its call was lost, and needs a while where a process is to be started for that.
const RETENTION: Duration = Duration::from_secs(60);

impl Keys {
    pub(crate) fn new(limits: KeyLimits) -> Self {
        Self { limits, known: BTreeMap::new(), ends: BTreeSet::new(), fresh: Vec::new(), bytes: 0 }
    }

    /// How a key stands that is asked under, by somebody who waits until then.
    pub(crate) fn meet(&mut self, key: RequestKey, deadline: Deadline) -> Standing<'_> {
        let room = self.known.len() < self.limits.keys && self.bytes < self.limits.bytes;
        let Some(known) = self.known.get_mut(&key) else {
            return if room { Standing::New } else { Standing::NoRoom };
        };
        known.deadline = later(known.deadline, deadline);
        let end = known.deadline.instant();
        if let State::Done(_, Some(until)) = &mut known.state {
            if let Some(end) = end.filter(|end| end > until) {
                self.ends.remove(&(*until, key));
                self.ends.insert((end, key));
                *until = end;
            }
        }
        match &known.state {
            State::Running(caller) => Standing::Running(*caller),
            State::Done(said, _) => Standing::Done(said),
        }
    }

    /// A request with this key is handed out, under this name.
    pub(crate) fn begin(&mut self, key: RequestKey, caller: Caller, deadline: Deadline) {
        self.known.insert(key, Known { deadline, state: State::Running(caller) });
    }

    /// It is answered. Only the first answer counts.
    pub(crate) fn end(&mut self, key: RequestKey, verb: Verb, body: &[u8]) {
        let Some(known) = self.known.get_mut(&key) else { return };
        if !matches!(known.state, State::Running(_)) {
            return;
        }
        let said = match self.bytes + body.len() <= self.limits.bytes {
            true => Said::Answer(verb, body.to_vec()),
            false => Said::Unkept,
        };
        self.bytes += said.len();
        known.state = State::Done(said, None);
        self.fresh.push(key);
    }

    /// Whether no key is known: clients that draw none are most.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Forgets the keys whose time is over. What was answered since is kept from now on.
    pub(crate) fn forget(&mut self, now: Instant) {
        if !self.is_empty() {
            self.forget_known(now);
        }
    }

    #[cold]
    fn forget_known(&mut self, now: Instant) {
        let retained = Deadline::after(now, self.limits.retention).instant();
        for key in self.fresh.drain(..) {
            let Some(known) = self.known.get_mut(&key) else { continue };
            if let State::Done(_, until) = &mut known.state {
                // Whoever waits without end may have left: that is known of nobody.
                *until = retained.max(known.deadline.instant().filter(|_| retained.is_some()));
                self.ends.extend(until.map(|until| (until, key)));
            }
        }
        while let Some((until, key)) = self.ends.first().copied().filter(|(end, _)| *end <= now) {
            self.ends.remove(&(until, key));
            if let Some(Known { state: State::Done(said, _), .. }) = self.known.remove(&key) {
                self.bytes -= said.len();
            }
        }
    }

    /// Keys that are in hand.
    #[cfg(test)]
    pub(crate) fn running(&self) -> usize {
        self.known.values().filter(|known| matches!(known.state, State::Running(_))).count()
    }

    /// Fails where the table says different things.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let said = self.known.values().map(|known| match &known.state {
            State::Running(_) => 0,
            State::Done(said, _) => said.len(),
        });
        assert_eq!(self.bytes, said.sum::<usize>(), "bytes of answers that are counted");
        assert!(self.bytes <= self.limits.bytes && self.known.len() <= self.limits.keys);
        let ending = |known: &&Known| matches!(known.state, State::Done(_, Some(_)));
        assert_eq!(self.ends.len(), self.known.values().filter(ending).count());
    }
}

impl Said {
    fn len(&self) -> usize {
        match self {
            Self::Answer(_, body) => body.len(),
            Self::Unkept => 0,
        }
    }
}

/// The later of two deadlines, of which one that never comes says nothing.
fn later(one: Deadline, other: Deadline) -> Deadline {
    one.instant().max(other.instant()).map_or(Deadline::NEVER, Deadline::at)
}
