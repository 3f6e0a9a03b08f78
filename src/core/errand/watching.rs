//! The wait of whoever has a request in hand to hear that nobody wants the answer.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::server::{Answerer, Caller};
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// Waits until a request is cancelled, its client has left, or it is answered.
#[derive(Debug)]
pub(crate) struct Watching {
    caller: Caller,
    key: Key,
}

impl Watching {
    pub(crate) fn new(caller: Caller) -> Self {
        Self { caller, key: 0 }
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Answerer<R, W>> for Watching {
    type Answer = ();

    const WRITES: bool = false;

    const IDLE: bool = true;

    fn begin(&mut self, answerer: &mut Answerer<R, W>) -> Result<Key> {
        self.key = answerer.watch(self.caller);
        Ok(self.key)
    }

    fn look(&mut self, answerer: &mut Answerer<R, W>, _now: Instant) -> Option<Result<()>> {
        answerer.is_settled(self.caller).then_some(Ok(()))
    }

    fn fail(&mut self, _answerer: &mut Answerer<R, W>, error: Error) -> Error {
        error
    }

    fn leave(&mut self, answerer: &mut Answerer<R, W>) {
        answerer.stop_watching(self.caller, self.key);
    }
}
