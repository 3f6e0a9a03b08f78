//! What an endpoint knows of its connection by itself.

use std::time::Duration;

/// The state of a connection as this side sees it, without asking the other: it is there at once,
/// also where the FIFO itself is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// Whether the outgoing FIFO is open, which it is once its reader was met.
    pub connected: bool,
    /// For how long there was something to write and the other side has not made room; `None` where
    /// writing is not stuck.
    pub stalled_for: Option<Duration>,
    /// Messages that are not wholly written.
    pub queued: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// Calls that wait for their replies, or requests that are not answered.
    pub in_flight: usize,
}
