//! The moment before sleeping: looking again a few times, where that has paid lately.
//!
//! Waking an idle core takes 20 us and more, ten times what a reply takes; a waiter that is still
//! awake when it comes saves both sides that. On one core the peer can only run while this thread
//! does not, so there it hands the core over instead. Either is bounded, and given up where the
//! last waits have shown that the peer is not that quick.

use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::sys;

/// How long a waiter looks again before it sleeps, unless told otherwise: about two wake-ups of an
/// idle core.
const SPIN: Duration = Duration::from_micros(50);

/// On one core, how often the core is handed over before sleeping: once for the peer to take what
/// was written, once more for another thread that stood before it.
const HAND_OVERS: u32 = 2;

/// After as many waits in a row that spinning did not shorten, only one wait in 256 still spins.
const MOST_MISSES: u32 = 8;

/// Looks in one wait, whatever the clock says: that of a test may stand still.
const MOST_LOOKS: u32 = 65_536;

/// What the last waits of one endpoint have taught.
#[derive(Debug)]
pub(crate) struct Pause {
    limit: Duration,
    one_core: bool,
    misses: u32,
    /// Waits to come that go to sleep at once.
    skip: u32,
}

/// One wait.
#[derive(Debug)]
pub(crate) struct Spell {
    /// When it is no longer a quick one.
    until: Deadline,
    looks: u32,
    awake: bool,
}

/// What passes between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Spin,
    HandOver,
}

impl Moment {
    pub(crate) fn pass(self) {
        match self {
            Self::Spin => std::hint::spin_loop(),
            Self::HandOver => std::thread::yield_now(),
        }
    }
}

impl Pause {
    /// For a thread that waits for this endpoint and nothing else.
    pub(crate) fn of_a_thread(limit: Option<Duration>) -> Self {
        Self::new(limit.unwrap_or(SPIN), sys::one_core())
    }

    /// For a task, among others on its thread: unless a limit was asked for, it does not spin. On
    /// one core it hands the core over all the same, as the runtime would by going to sleep.
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn of_a_task(limit: Option<Duration>) -> Self {
        let one_core = sys::one_core();
        Self::new(limit.unwrap_or(if one_core { SPIN } else { Duration::ZERO }), one_core)
    }

    fn new(limit: Duration, one_core: bool) -> Self {
        Self { limit, one_core, misses: 0, skip: 0 }
    }

    /// Whether no wait ever looks again.
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn is_off(&self) -> bool {
        self.limit.is_zero()
    }

    /// A wait begins.
    pub(crate) fn begin(&mut self, now: Instant) -> Spell {
        let awake = self.skip == 0 && !self.limit.is_zero();
        self.skip = self.skip.saturating_sub(1);
        Spell { until: Deadline::after(now, self.limit), looks: 0, awake }
    }

    /// How to let a moment pass before looking again; `None` where it is time to sleep.
    pub(crate) fn look_again(&mut self, spell: &mut Spell, now: Instant) -> Option<Moment> {
        if !spell.awake {
            return None;
        }
        spell.looks += 1;
        let spent = spell.until.passed(now) || spell.looks > MOST_LOOKS;
        if spent || (self.one_core && spell.looks > HAND_OVERS) {
            spell.awake = false;
            self.misses = (self.misses + 1).min(MOST_MISSES);
            self.skip = (1 << self.misses) - 1;
            return None;
        }
        Some(if self.one_core { Moment::HandOver } else { Moment::Spin })
    }

    /// The wait has ended with what it waited for.
    pub(crate) fn end(&mut self, spell: &Spell, now: Instant) {
        let quick = !spell.until.passed(now);
        // A core that was handed over as often as it may be was handed over in vain, however quick
        // the end came then; more of spinning would have met it.
        if quick && (spell.awake || !self.one_core) {
            self.misses = 0;
            self.skip = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(one_core: bool) -> Pause {
        Pause::new(SPIN, one_core)
    }

    /// Waits whose event never comes within the limit; answers how many of them spun.
    fn fruitless(pause: &mut Pause, waits: u32) -> u32 {
        let mut spun = 0;
        for _ in 0..waits {
            let now = Instant::now();
            let mut spell = pause.begin(now);
            spun += u32::from(spell.awake);
            while pause.look_again(&mut spell, now + SPIN).is_some() {}
            pause.end(&spell, now + SPIN * 100);
        }
        spun
    }

    #[test]
    fn where_it_never_pays_hardly_any_wait_spins() {
        let mut pause = pause(false);
        assert!(fruitless(&mut pause, 1024) <= 12);
    }

    #[test]
    fn one_quick_wait_brings_it_back() {
        let mut pause = pause(false);
        fruitless(&mut pause, 100);
        let now = Instant::now();
        let spell = pause.begin(now);
        pause.end(&spell, now + SPIN / 2);
        assert!(pause.begin(now).awake);
    }

    #[test]
    fn on_one_core_an_end_that_came_after_the_hand_overs_does_not_count_for_them() {
        let mut pause = pause(true);
        let mut spun = 0;
        for _ in 0..1024 {
            let now = Instant::now();
            let mut spell = pause.begin(now);
            spun += u32::from(spell.awake);
            while pause.look_again(&mut spell, now).is_some() {}
            pause.end(&spell, now + SPIN / 2);
        }
        assert!(spun <= 12, "{spun}");
    }

    #[test]
    fn on_one_core_the_core_is_handed_over_and_never_spun_on() {
        let mut pause = pause(true);
        let now = Instant::now();
        let mut spell = pause.begin(now);
        let moments: Vec<_> = std::iter::from_fn(|| pause.look_again(&mut spell, now)).collect();
        assert_eq!(moments, [Moment::HandOver; HAND_OVERS as usize]);
    }

    #[test]
    fn a_limit_of_zero_turns_it_off() {
        let mut pause = Pause::new(Duration::ZERO, false);
        let now = Instant::now();
        let mut spell = pause.begin(now);
        assert_eq!(pause.look_again(&mut spell, now), None);
    }
}
