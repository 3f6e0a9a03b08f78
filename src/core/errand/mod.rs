//! What one waiter wants of a session that several share.
//!
//! An errand is begun, looked after, and left, each under the session's lock and none of them
//! waiting: how a waiter sleeps in between is the front end's affair. It leaves exactly once, with
//! its answer or without, so that one that was dropped or that panicked leaves nothing behind.

mod attending;
mod beginning;
mod calling;
mod cancelling;
#[cfg(any(feature = "tokio", feature = "async-io"))]
mod ended;
mod ending;
mod listening;
mod next_part;
mod next_reply;
mod receiving;
mod replying;
mod reserving;
mod send_part;
mod send_reply;
#[cfg(any(test, feature = "tokio", feature = "async-io"))]
mod watching;

use std::time::Instant;

use crate::error::{Error, Result};
pub(crate) use attending::Attending;
pub(crate) use beginning::Beginning;
pub(crate) use calling::Calling;
pub(crate) use cancelling::Cancelling;
#[cfg(any(feature = "tokio", feature = "async-io"))]
pub(crate) use ended::Ended;
pub(crate) use ending::Ending;
pub(crate) use listening::Listening;
pub(crate) use next_part::NextPart;
pub(crate) use next_reply::NextReply;
pub(crate) use receiving::Receiving;
pub(crate) use replying::{Answer, Replying};
pub(crate) use reserving::Reserving;
pub(crate) use send_part::SendPart;
pub(crate) use send_reply::SendReply;
#[cfg(any(test, feature = "tokio", feature = "async-io"))]
pub(crate) use watching::Watching;

/// Names a waiter among the wake-ups of its session; no two have the same at the same time.
pub(crate) type Key = u64;

/// One call, reply or request that somebody waits for.
pub(crate) trait Errand<S> {
    type Answer;

    /// Whether it queues something to be written.
    #[cfg_attr(not(any(feature = "tokio", feature = "async-io")), allow(dead_code))]
    const WRITES: bool;

    /// Whether its answer may give something to write to the peer.
    #[cfg_attr(not(any(feature = "tokio", feature = "async-io")), allow(dead_code))]
    const TELLS: bool = false;

    /// Whether it waits for nothing of its own, so that its wait is no news.
    const IDLE: bool = false;

    /// Begins, and answers under which key the session will wake this waiter.
    fn begin(&mut self, session: &mut S) -> Result<Key>;

    /// The answer, if it is there; by the errand's deadline it is.
    fn look(&mut self, session: &mut S, now: Instant) -> Option<Result<Self::Answer>>;

    /// The answer, if it is there whatever the time is.
    #[cfg_attr(not(any(feature = "tokio", feature = "async-io")), allow(dead_code))]
    fn peek(&mut self, session: &mut S) -> Option<Result<Self::Answer>> {
        let _ = session;
        None
    }

    /// The session has failed with this error: what it means for this errand, which then leaves.
    fn fail(&mut self, session: &mut S, error: Error) -> Error;

    /// Takes out of the session whatever of this errand is still in it.
    fn leave(&mut self, session: &mut S);
}
