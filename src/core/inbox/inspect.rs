//! What tests ask of an inbox.

use super::{Inbox, Key, Verb};
use crate::core::model::{Cause, Causes};

/// Something that came, and what was done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Came {
    pub(crate) verb: Verb,
    pub(crate) key: Key,
    /// Whether it was said to this life of ours, by somebody who knew it.
    pub(crate) to_us: bool,
    pub(crate) how: How,
}

/// How much of it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Whole,
    /// One of its parts.
    Part,
    /// It was refused: there is no room for it, or it is for another.
    Refused,
}

impl Inbox {
    /// Requests of which a part has come, and requests that wait to be taken.
    pub(crate) fn requests(&self) -> (impl Iterator<Item = Key>, impl Iterator<Item = Key>) {
        let whole = self.events.iter().filter(|event| event.verb == Verb::Request);
        let coming = self.assembly.keys().filter(|key| !self.streamed.contains(key));
        (coming, whole.map(|event| event.key()))
    }

    /// Bytes that were read and not heard.
    pub(crate) fn unread(&mut self) -> usize {
        self.buffer.unread().len()
    }

    /// The life that was given up; zero for none.
    pub(crate) fn shunned(&self) -> u64 {
        self.shunned
    }

    /// Whether the peer may have been replaced unnoticed.
    pub(crate) fn is_doubted(&self) -> bool {
        self.doubted
    }

    /// Takes what has come since this was asked last.
    pub(crate) fn take_came(&mut self) -> Vec<Came> {
        std::mem::take(&mut self.came)
    }

    /// Takes what else has happened since this was asked last.
    pub(crate) fn take_causes(&mut self) -> Causes {
        std::mem::take(&mut self.causes)
    }

    pub(crate) fn note_cause(&mut self, cause: Cause) {
        self.causes = self.causes.with(cause);
    }

    pub(super) fn note(&mut self, verb: Verb, key: Key, to: u64, how: How) {
        if verb == Verb::Item {
            self.streamed.insert(key);
        }
        self.came.push(Came { verb, key, to_us: to != 0, how });
    }
}
