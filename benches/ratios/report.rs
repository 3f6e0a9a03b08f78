//! The table, and what decides whether the run has failed.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

/// Prints a line for each comparison and remembers the targets that were missed.
#[derive(Debug)]
pub(crate) struct Report {
    chosen: Vec<String>,
    judge: bool,
    missed: Vec<String>,
}

/// What a comparison has to hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// The ratio is at most this.
    RatioAtMost(f64),
    /// The ratio is at least this.
    RatioAtLeast(f64),
    /// Our own figure is at most this.
    OursAtMost(Figure),
    /// Reported only.
    None,
}

/// A figure with its unit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Figure {
    Micros(f64),
    PerSecond(f64),
    GigabytesPerSecond(f64),
    /// Of one core.
    Percent(f64),
}

impl Report {
    pub(crate) fn new(chosen: Vec<String>, judge: bool) -> Self {
        println!("# comparison\tours\tpeer\tratio\ttarget");
        Self { chosen, judge, missed: Vec::new() }
    }

    /// Whether this comparison is to be made.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.chosen.is_empty() || self.chosen.iter().any(|word| name.contains(word.as_str()))
    }

    /// How many times something is done: this often, or a fiftieth of it on a short pass.
    pub(crate) fn count(&self, full: usize) -> usize {
        if self.judge { full } else { full.div_ceil(50) }
    }

    /// Adds a line.
    pub(crate) fn add(&mut self, name: &str, ours: Figure, peer: Figure, target: Target) {
        let ratio = ours.value() / peer.value();
        println!("{name}\t{ours}\t{peer}\t{ratio:.3}\t{target}");
        let holds = match target {
            Target::RatioAtMost(most) => ratio <= most,
            Target::RatioAtLeast(least) => ratio >= least,
            Target::OursAtMost(most) => ours.value() <= most.value(),
            Target::None => true,
        };
        if !holds {
            self.missed.push(format!("{name}: {ours}, ratio {ratio:.3}, target {target}"));
        }
    }

    /// Failure where a target was missed, unless this is a short pass.
    pub(crate) fn verdict(self) -> ExitCode {
        if !self.judge {
            return ExitCode::SUCCESS;
        }
        for missed in &self.missed {
            eprintln!("missed: {missed}");
        }
        if self.missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl Figure {
    /// A duration in the table's unit of time.
    pub(crate) fn time(duration: Duration) -> Self {
        Self::Micros(duration.as_secs_f64() * 1e6)
    }

    fn value(self) -> f64 {
        match self {
            Self::Micros(value)
            | Self::PerSecond(value)
            | Self::GigabytesPerSecond(value)
            | Self::Percent(value) => value,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Micros(value) => write!(f, "{value:.2} us"),
            Self::PerSecond(value) if *value < 1e6 => write!(f, "{:.1} k/s", value / 1e3),
            Self::PerSecond(value) => write!(f, "{:.2} M/s", value / 1e6),
            Self::GigabytesPerSecond(value) => write!(f, "{value:.2} GB/s"),
            Self::Percent(value) => write!(f, "{value:.2} %"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RatioAtMost(most) => write!(f, "<= {most}"),
            Self::RatioAtLeast(least) => write!(f, ">= {least}"),
            Self::OursAtMost(most) => write!(f, "ours <= {most}"),
            Self::None => f.write_str("-"),
        }
    }
}

/// The middle of some measurements: a round that another program disturbed does not move it.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    percentile(values, 50)
}

/// The value that `percent` of the measurements do not exceed.
pub(crate) fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}
