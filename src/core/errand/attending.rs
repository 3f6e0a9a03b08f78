//! Waiting on a client for nothing but its connection.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::client::Caller;
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// Waits until the client is closed; meanwhile its connection is looked after.
#[derive(Debug, Default)]
pub(crate) struct Attending {
    key: Key,
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Caller<R, W>> for Attending {
    type Answer = ();

    const WRITES: bool = false;

    const IDLE: bool = true;

    fn begin(&mut self, caller: &mut Caller<R, W>) -> Result<Key> {
        self.key = caller.attend();
        Ok(self.key)
    }

    fn look(&mut self, caller: &mut Caller<R, W>, _now: Instant) -> Option<Result<()>> {
        caller.has_ended().then_some(Ok(()))
    }

    fn fail(&mut self, _caller: &mut Caller<R, W>, error: Error) -> Error {
        error
    }

    fn leave(&mut self, caller: &mut Caller<R, W>) {
        caller.stop_attending(self.key);
    }
}
