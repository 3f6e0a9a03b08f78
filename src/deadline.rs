//! An absolute instant by which a call answers.
//!
//! A timeout is a duration and restarts with every retry that is given it; that is how one wait
//! gets granted twice. A deadline is fixed when the call starts and handed down unchanged.

use std::time::{Duration, Instant};

/// The instant by which a call answers, or never.
///
/// ```
/// use fifowire::Deadline;
/// use std::time::{Duration, Instant};
///
/// let now = Instant::now();
/// let deadline = Deadline::after(now, Duration::from_secs(30));
/// assert!(!deadline.passed(now));
/// assert!(deadline.passed(now + Duration::from_secs(30)));
/// assert_eq!(Deadline::NEVER.remaining(now), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No deadline: for waits whose end is the event itself, such as a server's next request.
    pub const NEVER: Self = Self(None);

    /// At this instant.
    pub const fn at(instant: Instant) -> Self {
        Self(Some(instant))
    }

    /// This long after `now`. A duration beyond what the clock can hold is [`NEVER`](Self::NEVER).
    pub fn after(now: Instant, timeout: Duration) -> Self {
        Self(now.checked_add(timeout))
    }

    /// The instant, if there is one.
    pub const fn instant(self) -> Option<Instant> {
        self.0
    }

    /// Whether `now` is at or behind it.
    pub fn passed(self, now: Instant) -> bool {
        self.0.is_some_and(|instant| now >= instant)
    }

    /// What is left of it at `now`; zero when it has passed, `None` for never.
    pub fn remaining(self, now: Instant) -> Option<Duration> {
        self.0.map(|instant| instant.saturating_duration_since(now))
    }

    /// The earlier of the two.
    pub fn earlier(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(a), Some(b)) => Self(Some(a.min(b))),
            (a, b) => Self(a.or(b)),
        }
    }
}

impl From<Instant> for Deadline {
    fn from(instant: Instant) -> Self {
        Self::at(instant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_of_a_deadline_and_never_is_the_deadline() {
        let deadline = Deadline::at(Instant::now());
        assert_eq!(deadline.earlier(Deadline::NEVER), deadline);
        assert_eq!(Deadline::NEVER.earlier(deadline), deadline);
        assert_eq!(Deadline::NEVER.earlier(Deadline::NEVER), Deadline::NEVER);
    }

    #[test]
    fn a_timeout_beyond_the_clock_never_passes() {
        let now = Instant::now();
        assert_eq!(Deadline::after(now, Duration::MAX), Deadline::NEVER);
    }
}
