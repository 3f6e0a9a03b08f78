//! One measured case: a line in the table, and an assertion on the time.

use std::io::Write;
use std::time::{Duration, Instant};

/// How much later than its deadline a call may return.
const SLACK: Duration = ms(50);

/// A case whose time runs.
#[derive(Debug)]
pub(crate) struct Case {
    name: String,
    began: Instant,
}

impl Case {
    pub(crate) fn begin(name: impl Into<String>) -> Self {
        Self { name: name.into(), began: Instant::now() }
    }

    /// The case is over: it must have taken from `least` up to `most`.
    pub(crate) fn ends(self, least: Duration, most: Duration) {
        judge(&self.name, self.began.elapsed(), least, most);
    }

    /// A call that fails at its deadline and neither before nor noticeably after.
    pub(crate) fn ends_at(self, deadline: Duration) {
        self.ends(deadline, deadline + SLACK);
    }
}

/// Prints a time that was measured elsewhere, and holds it to its bounds.
pub(crate) fn judge(name: &str, took: Duration, least: Duration, most: Duration) {
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let (took_ms, least_ms, most_ms) = (millis(took), millis(least), millis(most));
    // Not `println!`: the table is printed whether the tests pass or not.
    let mut out = std::io::stderr();
    let line = format!("{name:<64} {took_ms:>8.1} ms   bound {least_ms:.0} to {most_ms:.0} ms");
    let _ = writeln!(out, "{line}");
    assert!((least..=most).contains(&took), "{line}");
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
