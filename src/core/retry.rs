//! When to try again, and when to look again. Pure arithmetic.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The delays between attempts to open a FIFO whose other end is not there.
///
/// They start short, because a peer that is being started at the same time is there within
/// microseconds, double, and stay at the cap. The cap is what bounds how late a late reader is
/// noticed: a non-blocking peer wakes us through inotify, but one that is blocked in its own
/// `open` announces nothing, so only the next attempt finds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    next: Duration,
}

impl Schedule {
    /// The first delay. An attempt costs 3 us of processor time.
    pub(crate) const FIRST: Duration = Duration::from_micros(100);

    /// The largest delay: 2.5 ms of mean latency, half a percent of a core.
    pub(crate) const CAP: Duration = Duration::from_millis(5);

    pub(crate) fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// The instant of the attempt after one that failed at `now`.
    pub(crate) fn after(&mut self, now: Instant) -> Instant {
        let delay = self.next;
        self.next = (delay * 2).min(Self::CAP);
        now + delay
    }
}

/// How long a waiting end may hold a FIFO that its path no longer names. A check is one `lstat`,
/// about a microsecond; a replaced FIFO is to be noticed within 100 ms.
pub(crate) const STANDING_CHECK: Duration = Duration::from_millis(80);

/// When to look at a path again: at the next of the instants at which all endpoints of this process
/// do, so that a hundred idle ones wake it as often as one.
pub(crate) fn next_check(now: Instant) -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let origin = *ORIGIN.get_or_init(|| now);
    let period = STANDING_CHECK.as_nanos();
    // The origin is no more than the first instant that anybody asked with: there are earlier ones.
    let since = now.saturating_duration_since(origin).as_nanos() % period;
    let before = origin.saturating_duration_since(now).as_nanos() % period;
    let left = if before > 0 { before } else { period - since };
    now + Duration::from_nanos(left as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_fall_on_the_same_instants_whoever_asks_and_none_is_late() {
        let first = next_check(Instant::now());
        // Before the origin too, wherever that is.
        let start = first - STANDING_CHECK * 3;
        for micros in (0..400_000).step_by(777) {
            let now = start + Duration::from_micros(micros);
            let next = next_check(now);
            assert!(next > now && next <= now + STANDING_CHECK);
            let apart = next.max(first) - next.min(first);
            assert_eq!(apart.as_nanos() % STANDING_CHECK.as_nanos(), 0);
        }
    }

    #[test]
    fn delays_double_up_to_the_cap_and_stay_there() {
        let now = Instant::now();
        let mut schedule = Schedule::new();
        let delays: Vec<_> = (0..10).map(|_| schedule.after(now) - now).collect();
        assert_eq!(delays[0], Schedule::FIRST);
        assert!(delays.windows(2).all(|pair| pair[1] == (pair[0] * 2).min(Schedule::CAP)));
        assert_eq!(delays[9], Schedule::CAP);
    }
}
