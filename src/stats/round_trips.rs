//! How long calls took: a few numbers and a small histogram, of one size whatever came.

use std::fmt;
use std::time::Duration;

/// How long calls took, since an endpoint was opened.
///
/// At a client: from the queueing of a request until its reply, or the news that it failed, was
/// read. At a server: from the handing out of a request until its answer was queued. Calls that
/// ended without an answer are not in it, and neither are pings, notifications and streams.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// use fifowire::{Client, EndOfWriters, Pair, Server};
///
/// let pair = Pair::create(directory.path(), "agent")?;
/// let options = Server::<u32, u32>::options().end_of_writers(EndOfWriters::End);
/// let mut server = options.open(&pair)?;
/// let service = std::thread::spawn(move || server.serve(|number, _| Ok::<_, String>(number + 1)));
///
/// let client = Client::<u32, u32>::open(&pair)?;
/// assert!(client.stats().times.quantile(0.99).is_none());
/// for number in 0..100 {
///     client.call(&number)?;
/// }
/// let times = client.stats().times;
/// assert_eq!(times.count(), 100);
/// assert!(times.smallest() <= times.quantile(0.99) && times.quantile(0.99) <= times.largest());
/// # drop(client);
/// # service.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct RoundTrips {
    count: u64,
    // All in nanoseconds, of which 63 bits are three centuries: cheaper than durations.
    last: u64,
    smallest: u64,
    largest: u64,
    smoothed: u64,
    buckets: [u64; BUCKETS],
}

/// Less than a microsecond, then one bucket for each doubling; the last holds all of 18 minutes and
/// more, which no call takes that anybody waits for.
const BUCKETS: usize = 32;

const LAST: usize = BUCKETS - 1;

/// What the next measurement counts for in the smoothed mean: an eighth, as RFC 6298 has it for the
/// round trips of TCP.
const WEIGHT: i64 = 8;

const MICROSECOND: u64 = 1000;

impl RoundTrips {
    /// How many were measured.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The last one; `None` before the first, here and below.
    pub fn last(&self) -> Option<Duration> {
        self.known(self.last)
    }

    /// The shortest.
    pub fn smallest(&self) -> Option<Duration> {
        self.known(self.smallest)
    }

    /// The longest.
    pub fn largest(&self) -> Option<Duration> {
        self.known(self.largest)
    }

    /// The mean of the last ones: each counts for an eighth, and those before it for the rest.
    pub fn smoothed(&self) -> Option<Duration> {
        self.known(self.smoothed)
    }

    /// The time that this share of all calls did not exceed: `quantile(0.99)` for all but one in a
    /// hundred. A share below 0 is taken for 0, and one above 1 for 1.
    ///
    /// It is read off the [buckets](Self::buckets), and so true to a factor of two.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = ((share * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut before = 0;
        for (at, &count) in self.buckets.iter().enumerate() {
            if before + count < rank {
                before += count;
                continue;
            }
            let (low, high) = bounds(at);
            let (low, high) = (low.max(self.smallest), high.min(self.largest));
            // As if those of one bucket were spread evenly over it.
            let part = (rank - before) as f64 / count as f64;
            let within = ((high - low) as f64 * part) as u64;
            return self.known(low.saturating_add(within).min(high));
        }
        None
    }

    /// How many calls took less than each of these times, and no less than the one before it:
    /// powers of two of a microsecond. The last bucket has no bound but [`Duration::MAX`].
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let bound = |at| match at {
            LAST => Duration::MAX,
            _ => Duration::from_nanos(bounds(at).1),
        };
        self.buckets.iter().enumerate().map(move |(at, count)| (bound(at), *count))
    }

    /// One more was measured. One copy of this serves both sides: next to a round trip it is the
    /// memory it touches that costs, and code is memory too.
    #[inline(never)]
    pub(crate) fn record(&mut self, took: Duration) {
        let nanos = i64::try_from(took.as_nanos()).unwrap_or(i64::MAX) as u64;
        if self.count == 0 {
            (self.smallest, self.smoothed) = (nanos, nanos);
        }
        // Signed, and not by cases: whether a time is above or below the mean, nobody can predict.
        let above = nanos as i64 - self.smoothed as i64;
        self.smoothed = self.smoothed.wrapping_add_signed(above / WEIGHT);
        self.smallest = self.smallest.min(nanos);
        self.largest = self.largest.max(nanos);
        self.last = nanos;
        self.count += 1;
        self.buckets[bucket_of(nanos)] += 1;
    }

    fn known(&self, nanos: u64) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_nanos(nanos))
    }
}

/// Where a time is counted: by how many bits its microseconds have.
fn bucket_of(nanos: u64) -> usize {
    let bits = u64::BITS - (nanos / MICROSECOND).leading_zeros();
    (bits as usize).min(LAST)
}

/// From which time on a bucket counts, and up to which; both in nanoseconds.
fn bounds(bucket: usize) -> (u64, u64) {
    let low = if bucket == 0 { 0 } else { MICROSECOND << (bucket - 1) };
    let high = if bucket == LAST { u64::MAX } else { MICROSECOND << bucket };
    (low, high)
}

/// Without the buckets, of which most are empty.
impl fmt::Debug for RoundTrips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last) = self.last() else { return f.write_str("RoundTrips { count: 0 }") };
        f.debug_struct("RoundTrips")
            .field("count", &self.count)
            .field("last", &last)
            .field("smallest", &Duration::from_nanos(self.smallest))
            .field("smoothed", &Duration::from_nanos(self.smoothed))
            .field("largest", &Duration::from_nanos(self.largest))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn us(count: u64) -> Duration {
        Duration::from_micros(count)
    }

    fn of(times: impl IntoIterator<Item = Duration>) -> RoundTrips {
        let mut all = RoundTrips::default();
        times.into_iter().for_each(|took| all.record(took));
        all
    }

    #[test]
    fn nothing_is_known_before_the_first() {
        let none = RoundTrips::default();
        assert_eq!(
            (none.count(), none.last(), none.smallest(), none.largest()),
            (0, None, None, None)
        );
        assert_eq!((none.smoothed(), none.quantile(0.5)), (None, None));
    }

    #[test]
    fn one_is_everything() {
        let one = of([us(7)]);
        let all = [one.last(), one.smallest(), one.largest(), one.smoothed(), one.quantile(0.5)];
        assert_eq!((one.count(), all), (1, [Some(us(7)); 5]));
    }

    #[test]
    fn the_last_the_extremes_and_the_smoothed_mean_follow_what_comes() {
        let times = of([us(80), us(160), us(40)]);
        assert_eq!((times.count(), times.last()), (3, Some(us(40))));
        assert_eq!((times.smallest(), times.largest()), (Some(us(40)), Some(us(160))));
        // 80, then 80 + 80 / 8 = 90, then 90 - 50 / 8.
        assert_eq!(times.smoothed(), Some(Duration::from_nanos(83_750)));
    }

    #[test]
    fn a_time_is_counted_where_its_bounds_are() {
        for nanos in [0, 999, 1000, 1999, 2000, 65_535_999, 65_536_000, u64::MAX - 1, u64::MAX] {
            let bucket = bucket_of(nanos);
            let (low, high) = bounds(bucket);
            assert!(low <= nanos && (nanos < high || bucket == LAST), "{nanos}: {bucket}");
        }
        assert!((1..BUCKETS).all(|at| bounds(at).0 == bounds(at - 1).1), "no gap");
        let (below, count) = of([us(3)]).buckets().find(|(_, count)| *count > 0).unwrap();
        assert_eq!((below, count), (us(4), 1));
    }

    #[test]
    fn a_quantile_is_true_to_a_factor_of_two() {
        let times = of((1..=10_000).map(us));
        for share in [0.001, 0.1, 0.5, 0.9, 0.99, 0.999] {
            let exact = 10_000.0 * share;
            let told = times.quantile(share).unwrap().as_micros() as f64;
            assert!(told >= exact / 2.0 && told <= exact * 2.0, "{share}: {told} for {exact}");
        }
        let told: Vec<_> = (0..=100).map(|at| times.quantile(f64::from(at) / 100.0)).collect();
        assert!(told.is_sorted());
    }

    #[test]
    fn times_that_fill_a_bucket_evenly_are_told_apart_within_it() {
        let times = of((4000..8000).map(Duration::from_nanos));
        assert_eq!(times.quantile(0.25), Some(Duration::from_nanos(4999)));
        assert_eq!(times.quantile(0.5), Some(Duration::from_nanos(5999)));
    }

    #[test]
    fn a_quantile_stays_between_the_smallest_and_the_largest() {
        let times = of([us(1), us(5), us(1100)]);
        assert_eq!((times.quantile(1.0), times.quantile(7.0)), (times.largest(), times.largest()));
        for share in [f64::NEG_INFINITY, -1.0, 0.0, f64::NAN, 0.3] {
            let told = times.quantile(share).unwrap();
            assert!(told >= us(1) && told <= us(2), "{share}: {told:?}");
        }
    }

    #[test]
    fn a_time_beyond_all_bounds_is_counted_too() {
        let times = of([Duration::MAX, us(1)]);
        assert_eq!(times.largest(), Some(Duration::from_nanos(i64::MAX as u64)));
        assert_eq!(times.quantile(1.0), times.largest());
        assert_eq!(times.buckets().map(|(_, count)| count).sum::<u64>(), 2);
    }
}
