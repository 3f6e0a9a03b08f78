//! With the feature: what a subscriber is told.

#[cfg(any(feature = "tokio", feature = "async-io"))]
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[cfg(any(feature = "tokio", feature = "async-io"))]
use tracing::Instrument;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{debug, debug_span, warn};

use crate::error::{ErrorKind, Phase, Result};
use crate::stats::{Eviction, Tally};

/// By which subscribers choose what of this crate they hear.
const TARGET: &str = "fifowire";

/// The span of one call, on the side that calls or on the one that answers.
#[derive(Clone, Debug)]
pub(crate) struct Span(tracing::Span);

impl Span {
    /// No span.
    pub(crate) fn none() -> Self {
        Self(tracing::Span::none())
    }

    /// That of a call over the request FIFO at `path`, which is asked for where somebody listens.
    pub(crate) fn call(path: impl FnOnce() -> PathBuf) -> Self {
        Self(debug_span!(target: TARGET, "call", path = %path().display(), id = Empty))
    }

    /// That of a request that came over the FIFO at `path`, under the number its caller gave it.
    pub(crate) fn request(path: impl FnOnce() -> PathBuf, id: u64) -> Self {
        Self(debug_span!(target: TARGET, "request", path = %path().display(), id))
    }

    /// Whether anybody listens.
    pub(crate) fn is_told(&self) -> bool {
        !self.0.is_disabled()
    }

    /// The call is queued under this number. Outside of any lock, as all that a subscriber hears.
    pub(crate) fn identify(&self, id: u64) {
        self.0.record("id", id);
    }

    /// Does some work of the call.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }

    /// Enters the span at every poll of a future.
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn around<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        future.instrument(self.0)
    }
}

/// Whether somebody may want to hear of waits. Asked under locks, and so of the level alone:
/// whether this very event is wanted would be for the subscriber to say.
pub(crate) fn may_tell_waits() -> bool {
    LevelFilter::current() >= LevelFilter::DEBUG
}

/// A call has waited for a while. How often this is told is for the caller to see to.
pub(crate) fn waiting(path: &Path, phase: Phase, elapsed: Duration) {
    debug!(
        name: "waiting",
        target: TARGET,
        path = %path.display(),
        %phase,
        elapsed_ms = millis(elapsed),
        "an endpoint waits"
    );
}

/// What is told of one FIFO: each kind of news at most once a second, because a hostile peer can
/// cause any of it as often as it likes. What comes in between is told as a sum.
#[derive(Debug, Default)]
pub(crate) struct News {
    given_up: u64,
    reopened: Paced<3>,
    torn: Paced<2>,
    evicted: Paced<2>,
}

/// One kind of news, which is so many counts.
#[derive(Debug)]
struct Paced<const N: usize> {
    /// What they had come to when they were told last.
    told: [u64; N],
    next: Option<Instant>,
}

/// What has come since it was told last; to be told outside of any lock.
#[derive(Debug)]
pub(crate) struct Report {
    path: PathBuf,
    reopened: Option<[u64; 3]>,
    torn: Option<[u64; 2]>,
    evicted: Option<([u64; 2], Option<Eviction>)>,
}

impl News {
    /// A call has ended. Where that was because the reader makes no room, it is given up.
    pub(crate) fn ended<T>(&mut self, answer: &Result<T>) {
        let stalled = |error: &crate::Error| error.kind() == ErrorKind::WriteStalled;
        self.given_up += u64::from(answer.as_ref().err().is_some_and(stalled));
    }

    /// What is to be told, given what the end has counted. The clock is read where there is news.
    pub(crate) fn due(
        &mut self,
        path: &Path,
        tally: impl FnOnce() -> Tally,
        now: impl FnOnce() -> Instant,
    ) -> Option<Report> {
        // Of the level alone, as for waits: this may be under a lock.
        match LevelFilter::current() {
            LevelFilter::OFF => None,
            _ => self.since(path, tally(), now),
        }
    }

    #[inline(never)]
    fn since(
        &mut self,
        path: &Path,
        tally: Tally,
        now: impl FnOnce() -> Instant,
    ) -> Option<Report> {
        let Tally { skipped_bytes, torn, ends, evicted: peers, last_eviction } = tally;
        let reopened = [ends.renewed, ends.replaced, ends.opened.saturating_sub(1)];
        let (torn, evicted) = ([skipped_bytes, torn], [self.given_up, peers]);
        let told = (self.reopened.told, self.torn.told, self.evicted.told);
        if told == (reopened, torn, evicted) {
            return None;
        }
        let now = now();
        let reopened = self.reopened.since(reopened, now);
        let (torn, evicted) = (self.torn.since(torn, now), self.evicted.since(evicted, now));
        // What there is to say of a peer is said with the news of it.
        let evicted = evicted.map(|counts| (counts, last_eviction.filter(|_| counts[1] > 0)));
        let any = reopened.is_some() || torn.is_some() || evicted.is_some();
        any.then(|| Report { path: path.to_path_buf(), reopened, torn, evicted })
    }
}

impl<const N: usize> Paced<N> {
    const EVERY: Duration = Duration::from_secs(1);

    /// What has been added, where there is anything and it is time to tell it.
    fn since(&mut self, counts: [u64; N], now: Instant) -> Option<[u64; N]> {
        let early = self.next.is_some_and(|next| now < next);
        if early || counts == self.told {
            return None;
        }
        let added = std::array::from_fn(|at| counts[at] - self.told[at]);
        *self = Self { told: counts, next: Some(now + Self::EVERY) };
        Some(added)
    }
}

impl<const N: usize> Default for Paced<N> {
    fn default() -> Self {
        Self { told: [0; N], next: None }
    }
}

impl Report {
    pub(crate) fn tell(self) {
        let path = self.path.display();
        if let Some([renewed, replaced, opened]) = self.reopened {
            debug!(
                name: "reopened",
                target: TARGET,
                %path,
                renewed,
                replaced,
                opened,
                "an end was exchanged for another"
            );
        }
        if let Some([skipped_bytes, torn]) = self.torn {
            warn!(
                name: "torn",
                target: TARGET,
                %path,
                skipped_bytes,
                torn,
                "a stream is not whole"
            );
        }
        if let Some(([given_up, peers], last)) = self.evicted {
            warn!(
                name: "evicted",
                target: TARGET,
                %path,
                given_up,
                peers,
                peer = last.map(|last| format!("{:016x}", last.life)),
                queued = last.map(|last| last.queued),
                queued_bytes = last.map(|last| last.queued_bytes),
                stalled_ms = last.map(|last| millis(last.stalled)),
                "a reader made no room and was waited for no longer"
            );
        }
    }
}

/// As a number that every subscriber can record.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_within_a_second_is_told_behind_it_as_a_sum() {
        let (start, step) = (Instant::now(), Duration::from_millis(100));
        let mut paced = Paced::default();
        let told: Vec<_> = (0..=25_u32)
            .filter_map(|tenth| {
                let counts = [u64::from(tenth.min(22)) + 1, 7];
                Some((tenth, paced.since(counts, start + step * tenth)?))
            })
            .collect();
        assert_eq!(told, [(0, [1, 7]), (10, [10, 0]), (20, [10, 0])]);
        assert_eq!(paced.since([23, 7], start + step * 30), Some([2, 0]));
        assert_eq!(paced.since([23, 7], start + step * 50), None);
    }

    #[test]
    fn where_nobody_listens_nothing_is_counted_and_no_clock_is_read() {
        let mut news = News::default();
        let due = news.due(Path::new("a.fifo"), || panic!("counted"), || panic!("read"));
        assert!(due.is_none());
        let span = Span::call(|| panic!("the path was asked for"));
        assert!(!span.is_told() && !may_tell_waits());
    }
}
