//! Cancels that somebody waits for: asked, and not acknowledged yet.

use std::collections::BTreeMap;

use super::calls::CallId;
use super::errand::Key;

/// Calls of which the server has yet to say that nothing more will come, and the keys of those that
/// wait for it.
#[derive(Debug, Default)]
pub(crate) struct Cancels {
    open: BTreeMap<CallId, Vec<Key>>,
}

impl Cancels {
    /// Somebody waits under this key; answers whether this is the first.
    pub(crate) fn ask(&mut self, id: CallId, key: Key) -> bool {
        let waiters = self.open.entry(id).or_default();
        waiters.push(key);
        waiters.len() == 1
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether the acknowledgement is still to come.
    pub(crate) fn awaits(&self, id: CallId) -> bool {
        self.open.contains_key(&id)
    }

    /// The calls whose acknowledgements are still to come.
    #[cfg(test)]
    pub(crate) fn each(&self) -> impl Iterator<Item = CallId> {
        self.open.keys().copied()
    }

    /// How many wait for this acknowledgement.
    #[cfg(test)]
    pub(crate) fn waiters(&self, id: CallId) -> usize {
        self.open.get(&id).map_or(0, Vec::len)
    }

    /// The acknowledgement has come.
    pub(crate) fn acknowledge(&mut self, id: CallId, woken: &mut Vec<Key>) {
        woken.extend(self.open.remove(&id).into_iter().flatten());
    }

    /// Nothing more will come of any call.
    pub(crate) fn end(&mut self, woken: &mut Vec<Key>) {
        woken.extend(std::mem::take(&mut self.open).into_values().flatten());
    }

    /// Whoever waits under this key does so no longer. The call is cancelled all the same.
    pub(crate) fn leave(&mut self, id: CallId, key: Key) {
        if let Some(waiters) = self.open.get_mut(&id) {
            waiters.retain(|waiter| *waiter != key);
        }
    }

    /// Nobody owns this call any more: it is of interest to those that wait for its end and to
    /// nobody else.
    pub(crate) fn disown(&mut self, id: CallId) {
        if self.open.get(&id).is_some_and(Vec::is_empty) {
            self.open.remove(&id);
        }
    }
}
