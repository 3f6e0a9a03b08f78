//! Keeping a session alive for others, while nothing of it is wanted.

use std::convert::Infallible;
use std::time::Instant;

use super::{Errand, Key};
use crate::core::server::{Answerer, LISTENER};
use crate::error::{Error, Result};
use crate::pipe::{Opener, Sink, Source};

/// Waits for nothing: control is answered and departures are noticed meanwhile.
#[derive(Debug)]
pub(crate) struct Listening;

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Errand<Answerer<R, W>> for Listening {
    type Answer = Infallible;

    const WRITES: bool = false;

    fn begin(&mut self, _answerer: &mut Answerer<R, W>) -> Result<Key> {
        Ok(LISTENER)
    }

    fn look(&mut self, _: &mut Answerer<R, W>, _now: Instant) -> Option<Result<Infallible>> {
        None
    }

    fn fail(&mut self, _answerer: &mut Answerer<R, W>, error: Error) -> Error {
        error
    }

    fn leave(&mut self, _answerer: &mut Answerer<R, W>) {}
}
