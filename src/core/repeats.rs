//! Calls that may be put again: to which servers, how often, and what is known of the attempts so
//! far.
//!
//! A request is put again once the server that may have it is lost, and never because its answer is
//! late. Once one attempt may have been taken, no later attempt makes that undone: a call that was
//! maybe delivered is never reported as not sent.

use std::collections::BTreeMap;

use super::calls::CallId;
use crate::error::Fate;

/// The calls of one client that may be put again.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    open: BTreeMap<CallId, Repeat>,
    /// Bytes of the bodies that are kept for it.
    bytes: usize,
}

/// To whom a call may be put again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// To any life of the server.
    AnyLife,
    /// To the life that may have it, and to no other.
    SameLife,
    /// To any, and only while none may have it.
    Untaken,
}

#[derive(Debug)]
struct Repeat {
    promise: Promise,
    /// Attempts that are left.
    left: u32,
    /// The request, its head included: that ages by its own stamp.
    body: Vec<u8>,
    /// The life that all attempts which may have been taken were said to; zero for none.
    life: u64,
    /// Whether an attempt may have been taken.
    lingers: bool,
    /// Whether it is put again once the server has left, which declines it until then.
    waits: bool,
}

/// One more attempt.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) body: Vec<u8>,
    /// The life it is for; zero for whoever reads.
    pub(crate) to: u64,
}

impl Repeats {
    /// A call that was just queued may be put again so often.
    pub(crate) fn begin(&mut self, id: CallId, promise: Promise, attempts: u32, body: Vec<u8>) {
        self.bytes += body.len();
        let repeat =
            Repeat { promise, left: attempts, body, life: 0, lingers: false, waits: false };
        self.open.insert(id, repeat);
    }

    /// Bytes that are kept.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a call may be put again, once its server is lost after an attempt of this fate,
    /// which was said to this life; zero for unknown.
    pub(crate) fn may(&self, id: CallId, fate: Fate, life: u64) -> bool {
        let Some(repeat) = self.open.get(&id).filter(|repeat| repeat.left > 0) else {
            return false;
        };
        match repeat.promise {
            Promise::AnyLife => true,
            Promise::SameLife => fate == Fate::NotSent || repeat.lingers || life != 0,
            Promise::Untaken => fate == Fate::NotSent,
        }
    }

    /// Whether a call may be put to another server than the one that has declined it.
    pub(crate) fn may_move(&self, id: CallId) -> bool {
        let moves = |repeat: &Repeat| repeat.promise == Promise::AnyLife || !repeat.lingers;
        self.open.get(&id).is_some_and(|repeat| repeat.left > 0 && moves(repeat))
    }

    /// The next attempt, after one of this fate, which was said to this life.
    pub(crate) fn again(&mut self, id: CallId, fate: Fate, life: u64) -> Option<Attempt> {
        let repeat = self.open.get_mut(&id)?;
        repeat.left -= 1;
        repeat.waits = false;
        if fate != Fate::NotSent && !repeat.lingers {
            // From here on it is for that life, where it is for one alone.
            (repeat.lingers, repeat.life) = (true, life);
        }
        let to = if repeat.promise == Promise::SameLife { repeat.life } else { 0 };
        if repeat.left > 0 {
            return Some(Attempt { body: repeat.body.clone(), to });
        }
        let body = std::mem::take(&mut repeat.body);
        self.bytes -= body.len();
        Some(Attempt { body, to })
    }

    /// It is put again once the server has left.
    pub(crate) fn wait(&mut self, id: CallId) {
        if let Some(repeat) = self.open.get_mut(&id) {
            repeat.waits = true;
        }
    }

    /// Whether nothing of it is on its way, because the server declines it until it has left.
    pub(crate) fn waits(&self, id: CallId) -> bool {
        self.open.get(&id).is_some_and(|repeat| repeat.waits)
    }

    /// What became of a call, after an attempt of this fate.
    pub(crate) fn fate(&self, id: CallId, last: Fate) -> Fate {
        let lingers = self.open.get(&id).is_some_and(|repeat| repeat.lingers);
        if lingers && last == Fate::NotSent { Fate::MaybeDelivered } else { last }
    }

    /// Calls that nobody but one life of the server can answer.
    pub(crate) fn bound(&self) -> impl Iterator<Item = CallId> {
        let bound = |repeat: &Repeat| repeat.promise == Promise::SameLife && repeat.lingers;
        self.open.iter().filter(move |(_, repeat)| bound(repeat)).map(|(id, _)| *id)
    }

    /// It is not put again.
    pub(crate) fn stop(&mut self, id: CallId) {
        if let Some(repeat) = self.open.get_mut(&id) {
            repeat.left = 0;
            self.bytes -= std::mem::take(&mut repeat.body).len();
        }
    }

    /// The call has ended.
    pub(crate) fn end(&mut self, id: CallId) {
        if let Some(repeat) = self.open.remove(&id) {
            self.bytes -= repeat.body.len();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether a call may be put again, or was.
    #[cfg(test)]
    pub(crate) fn has(&self, id: CallId) -> bool {
        self.open.contains_key(&id)
    }

    /// Fails where the counter is wrong.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let bytes: usize = self.open.values().map(|repeat| repeat.body.len()).sum();
        assert_eq!(self.bytes, bytes, "bytes of requests that are counted");
    }
}
