//! The last of what has happened in a run, said when it fails.

use std::collections::VecDeque;

/// How much of it is kept.
const KEPT: usize = 50;

#[derive(Debug)]
pub(super) struct Journal {
    seed: u64,
    /// What is being done.
    now: (u64, &'static str),
    last: VecDeque<(u64, &'static str, String)>,
}

impl Journal {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, now: (0, "the beginning"), last: VecDeque::new() }
    }

    pub(super) fn begin(&mut self, action: u64, name: &'static str) {
        self.now = (action, name);
    }

    pub(super) fn end(&mut self, detail: String) {
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back((self.now.0, self.now.1, detail));
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let Self { seed, now: (action, name), last } = self;
        for (action, name, detail) in last {
            eprintln!("{action:>6} {name} {detail}");
        }
        eprintln!("FIFOWIRE_SEED={seed} fails at action {action}: {name}");
    }
}
