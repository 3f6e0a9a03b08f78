//! Real FIFOs, real processes, under a watchdog. Nothing here needs a foreign program.
//!
//! Each test plays in a process of its own ([`support::scene`]) and must leave that process and
//! its directory as they were.

mod awaited;
mod calls;
mod fronts;
mod host;
mod input;
mod kills;
mod permissions;
mod requirements;
mod scenarios;
mod shared_senders;
mod support;
mod tracing;
