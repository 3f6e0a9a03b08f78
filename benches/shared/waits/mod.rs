//! Endpoints that wait for something that does not come, or comes when the observer says so.
//!
//! They run on a thread of their own; the thread that observes plays the other side of their FIFOs
//! and hears of them over a channel. A wait that burns its core holds up neither the observer nor
//! its clock.

pub(crate) mod bare;
pub(crate) mod ours;

use std::sync::mpsc::Sender;

use tokio::sync::oneshot;

/// What the observer hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The end is open, and what follows is the wait.
    Open,
    /// A message was received, or sent.
    Moved,
}

/// Where it is told. An observer that has seen enough does not listen any more.
#[derive(Clone, Debug)]
pub(crate) struct Telling(pub(crate) Sender<News>);

impl Telling {
    pub(crate) fn tell(&self, news: News) {
        let _ = self.0.send(news);
    }
}

/// The word for a sender to begin.
pub(crate) type Word = oneshot::Receiver<()>;

/// What a sender sends; a page at most, so that it goes in one piece.
pub(crate) const LINE_LEN: usize = 1_000;

/// What is written to a receiver: a line to those who read lines, and bytes to all others.
pub(crate) const LINE: &[u8] = b"a line\n";
