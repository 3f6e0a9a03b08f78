//! The end of a session that is closed on purpose.

use std::time::Instant;

use super::{Errand, Key};
use crate::core::session::Session;
use crate::deadline::Deadline;
use crate::error::{Error, Result};

/// Waits until a session has drained, by a deadline at which it is cut off.
#[derive(Debug)]
pub(crate) struct Ending {
    deadline: Deadline,
    key: Key,
}

impl Ending {
    pub(crate) fn new(deadline: Deadline) -> Self {
        Self { deadline, key: 0 }
    }
}

impl<S: Session> Errand<S> for Ending {
    /// Whether it has drained.
    type Answer = bool;

    const WRITES: bool = true;

    fn begin(&mut self, session: &mut S) -> Result<Key> {
        self.key = session.begin_close();
        Ok(self.key)
    }

    fn look(&mut self, session: &mut S, now: Instant) -> Option<Result<bool>> {
        if session.has_drained() {
            session.abort();
            return Some(Ok(true));
        }
        self.deadline.passed(now).then(|| {
            session.abort();
            Ok(false)
        })
    }

    fn fail(&mut self, session: &mut S, error: Error) -> Error {
        // Whatever is wrong with the connection, it is at its end.
        session.abort();
        error
    }

    fn leave(&mut self, session: &mut S) {
        session.stop_closing(self.key);
    }
}
