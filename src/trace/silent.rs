//! Without the feature: the same names, and nothing behind them.

#[cfg(any(feature = "tokio", feature = "async-io"))]
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Phase, Result};
use crate::stats::Tally;

#[derive(Clone, Debug)]
pub(crate) struct Span;

impl Span {
    pub(crate) fn none() -> Self {
        Self
    }

    pub(crate) fn call(_path: impl FnOnce() -> PathBuf) -> Self {
        Self
    }

    pub(crate) fn request(_path: impl FnOnce() -> PathBuf, _id: u64) -> Self {
        Self
    }

    pub(crate) fn is_told(&self) -> bool {
        false
    }

    pub(crate) fn identify(&self, _id: u64) {}

    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn around<F: Future>(self, future: F) -> F {
        future
    }
}

pub(crate) fn may_tell_waits() -> bool {
    false
}

pub(crate) fn waiting(_path: &Path, _phase: Phase, _elapsed: Duration) {}

#[derive(Debug, Default)]
pub(crate) struct News;

impl News {
    pub(crate) fn ended<T>(&mut self, _answer: &Result<T>) {}

    pub(crate) fn due(
        &mut self,
        _path: &Path,
        _tally: impl FnOnce() -> Tally,
        _now: impl FnOnce() -> Instant,
    ) -> Option<Report> {
        None
    }
}

#[derive(Debug)]
pub(crate) enum Report {}

impl Report {
    pub(crate) fn tell(self) {
        match self {}
    }
}
