//! How a session is closed on purpose: what is under way comes to its end, goodbye is said, and the
//! peer is heard to its own end.

use super::errand::Key;

/// A session that is being closed, and those that wait for it.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    stage: Stage,
    waiters: Vec<Key>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nobody closes it.
    #[default]
    Open,
    /// Nothing new is begun; what is under way comes to its end.
    Draining,
    /// The goodbye is on its way.
    Saying,
    /// The writing end is closed; the peer is read to its end.
    Hearing,
    /// There is nothing to wait for any more.
    Done,
}

impl Closing {
    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether anything new is refused.
    pub(crate) fn has_begun(&self) -> bool {
        self.stage != Stage::Open
    }

    /// Whoever has this key waits until it is done.
    pub(crate) fn ask(&mut self, key: Key) {
        if !self.has_begun() {
            self.stage = Stage::Draining;
        }
        self.waiters.push(key);
    }

    /// Whoever has this key waits no longer; the session goes on closing.
    pub(crate) fn leave(&mut self, key: Key) {
        self.waiters.retain(|waiter| *waiter != key);
    }

    /// Goes on to the next stage.
    pub(crate) fn enter(&mut self, stage: Stage, woken: &mut Vec<Key>) {
        self.stage = stage;
        if stage == Stage::Done {
            woken.append(&mut self.waiters);
        }
    }
}
