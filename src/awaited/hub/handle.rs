//! Who holds a hub: with the last of them the connection ends.

use std::ops::Deref;
use std::sync::Arc;

use super::{Hub, Shared};
use crate::awaited::runtime::Runtime;

/// Holds a hub. When the last clone is dropped, both ends are closed there and then, even where
/// another thread is in the middle of a turn that the runtime gave the hub.
pub(in crate::awaited) struct Handle<R: Runtime, S: Shared<R>>(Arc<Held<R, S>>);

struct Held<R: Runtime, S: Shared<R>>(Arc<Hub<R, S>>);

impl<R: Runtime, S: Shared<R>> Handle<R, S> {
    pub(super) fn new(hub: Arc<Hub<R, S>>) -> Self {
        Self(Arc::new(Held(hub)))
    }
}

impl<R: Runtime, S: Shared<R>> Clone for Handle<R, S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Runtime, S: Shared<R>> Deref for Handle<R, S> {
    type Target = Hub<R, S>;

    fn deref(&self) -> &Hub<R, S> {
        &self.0.0
    }
}

impl<R: Runtime, S: Shared<R>> Drop for Held<R, S> {
    fn drop(&mut self) {
        self.0.lock().session.link_mut().close();
    }
}
