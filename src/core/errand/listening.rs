//! Keeping a session alive for others, while nothing of it is wanted.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::server::{Answerer, LISTENER};
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// Waits for nothing of its own: control is answered and departures are noticed meanwhile.
#[derive(Debug)]
pub(crate) struct Listening<F> {
    ended: F,
}

impl<F: FnMut() -> bool> Listening<F> {
    /// Listens until `ended` says so, which is asked whenever something has come.
    pub(crate) fn until(ended: F) -> Self {
        Self { ended }
    }
}

impl<R, W, F> Errand<Answerer<R, W>> for Listening<F>
where
    R: Opener<End: Source>,
    W: Opener<End: Sink>,
    F: FnMut() -> bool,
{
    type Answer = ();

    const WRITES: bool = false;

    const IDLE: bool = true;

    fn begin(&mut self, _answerer: &mut Answerer<R, W>) -> Result<Key> {
        Ok(LISTENER)
    }

    fn look(&mut self, _: &mut Answerer<R, W>, _now: Instant) -> Option<Result<()>> {
        (self.ended)().then_some(Ok(()))
    }

    fn fail(&mut self, _answerer: &mut Answerer<R, W>, error: Error) -> Error {
        error
    }

    fn leave(&mut self, _answerer: &mut Answerer<R, W>) {}
}
