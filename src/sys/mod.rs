//! The only home of system calls.
//!
//! Each function is one call, or the few that make one safe operation. A descriptor is owned from
//! the instant it exists, non-blocking and close-on-exec from the call that made it, and no
//! function here waits but [`wait`].

mod adopt;
mod bell;
mod file;
mod host;
mod lock;
mod transfer;
mod wait;
mod watch;

pub(crate) use adopt::{Access, access_of, make_ours, name_of};
pub(crate) use bell::Bell;
pub(crate) use file::{
    Facts, Identity, facts_at, facts_of, is_link, is_no_reader, make_fifo, open_reader,
    open_writer, pin, remove_if_same, reopen_reader,
};
pub(crate) use host::{coarse_clock, effective_uid, monotonic_ns, one_core, random_u64};
pub(crate) use lock::{lock_reader, lock_writer};
#[cfg(feature = "tokio")]
pub(crate) use transfer::has_news;
pub(crate) use transfer::{capacity, has_hung_up, has_reader, read, set_capacity, write};
pub(crate) use wait::{Ends, wait};
pub(crate) use watch::Watch;

/// The longest write that the kernel keeps in one piece.
pub(crate) const PIPE_BUF: usize = nix::libc::PIPE_BUF;
