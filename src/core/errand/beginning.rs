//! A call that is begun, for other errands to look after.

use std::time::Instant;

use super::{Calling, Errand, Key};
use crate::core::calls::CallId;
use crate::core::client::Caller;
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// Queues a request and answers the number of its call at once. Whoever has that gives the call up.
#[derive(Debug)]
pub(crate) struct Beginning {
    calling: Calling,
    id: CallId,
}

impl Beginning {
    pub(crate) fn new(calling: Calling) -> Self {
        Self { calling, id: 0 }
    }
}

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Caller<R, W>> for Beginning {
    type Answer = CallId;

    const WRITES: bool = true;
    const TELLS: bool = true;

    fn begin(&mut self, caller: &mut Caller<R, W>) -> Result<Key> {
        self.id = self.calling.begin(caller)?;
        Ok(self.id)
    }

    fn peek(&mut self, _caller: &mut Caller<R, W>) -> Option<Result<CallId>> {
        self.calling.hand_over();
        Some(Ok(self.id))
    }

    fn look(&mut self, _caller: &mut Caller<R, W>, _now: Instant) -> Option<Result<CallId>> {
        self.calling.hand_over();
        Some(Ok(self.id))
    }

    fn fail(&mut self, caller: &mut Caller<R, W>, error: Error) -> Error {
        self.calling.fail(caller, error)
    }

    fn leave(&mut self, caller: &mut Caller<R, W>) {
        self.calling.leave(caller);
    }
}
