//! What is told to subscribers of `tracing`: the spans and events below, and nothing else.
//!
//! All macros of `tracing` stand in this module. Without the feature the same names are there and
//! do nothing, so that no other place asks for the feature. What is [due](News::due) is found under
//! the lock of an endpoint and told outside of it, because a subscriber is the host's: it may be
//! slow, use this very endpoint, or panic. So the core knows nothing of all this. It counts, as it
//! always does, and the difference to what was told before is the news.
//!
#![doc = include_str!("../../docs/TRACING.md")]

#[cfg(not(feature = "tracing"))]
mod silent;
#[cfg(feature = "tracing")]
mod told;

#[cfg(not(feature = "tracing"))]
pub(crate) use silent::*;
#[cfg(feature = "tracing")]
pub(crate) use told::*;
