//! Who holds a hub: with the last of them the connection ends.

use std::ops::Deref;
use std::sync::{Arc, Weak};

use super::{Hub, Shared, wake};
use crate::awaited::runtime::Runtime;

/// Holds a hub. When the last clone is dropped, both ends are closed there and then, even where
/// another thread is in the middle of a turn that the runtime gave the hub.
pub(in crate::awaited) struct Handle<R: Runtime, S: Shared>(Arc<Held<R, S>>);

struct Held<R: Runtime, S: Shared>(Arc<Hub<R, S>>);

impl<R: Runtime, S: Shared> Handle<R, S> {
    pub(super) fn new(hub: Arc<Hub<R, S>>) -> Self {
        Self(Arc::new(Held(hub)))
    }

    /// The hub for as long as somebody else holds it.
    pub(in crate::awaited) fn downgrade(&self) -> Weak<Hub<R, S>> {
        Arc::downgrade(&self.0.0)
    }
}

impl<R: Runtime, S: Shared> Clone for Handle<R, S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Runtime, S: Shared> Deref for Handle<R, S> {
    type Target = Hub<R, S>;

    fn deref(&self) -> &Hub<R, S> {
        &self.0.0
    }
}

impl<R: Runtime, S: Shared> Drop for Held<R, S> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.session.link_mut().close();
        // What is left waits for the end of the connection.
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        wake(waiting.into_values().map(|waiting| waiting.waker).collect());
    }
}
