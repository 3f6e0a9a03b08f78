//! What a client does once its server has left.

use std::time::{Duration, Instant};

use crate::deadline::Deadline;

/// What a client does once its server has left, or was given up because it did not acknowledge a
/// cancel.
///
/// Calls of which the server may have seen something end at once, unless they may be made again;
/// see [`Call::idempotent`](crate::Call::idempotent).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reconnect {
    /// Nothing: no call is made again, all further calls are refused at once, and both FIFOs are
    /// let go of. For those that would rather open a client anew.
    Never,
    /// The next call, and those that were not written yet, wait under their deadlines for the next
    /// server.
    #[default]
    OnNextCall,
    /// As [`OnNextCall`](Self::OnNextCall), and the request FIFO is opened again without a call, so
    /// that the next one finds it open. Somebody has to wait on the client for that: see
    /// [`Client::attend`](crate::Client::attend).
    InBackground {
        /// The delay before the second attempt; each further one is twice as long.
        first: Duration,
        /// The longest delay.
        most: Duration,
    },
}

/// When to try again to open the request FIFO that nobody calls over.
#[derive(Debug, Default)]
pub(crate) struct Redial {
    delay: Option<Duration>,
    next: Option<Instant>,
}

impl Redial {
    /// Whether it is time to try.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| now >= next)
    }

    /// An attempt has failed.
    pub(crate) fn failed(&mut self, now: Instant, first: Duration, most: Duration) {
        let delay = self.delay.map_or(first, |delay| delay * 2).min(most).max(SHORTEST);
        (self.delay, self.next) = (Some(delay), Some(now + delay));
    }

    pub(crate) fn next(&self) -> Deadline {
        self.next.map_or(Deadline::NEVER, Deadline::at)
    }

    /// The end is open; the delays begin anew.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

/// An attempt costs microseconds; more of them than this would show.
const SHORTEST: Duration = Duration::from_millis(1);
