//! The core: what to do next, decided without waiting.
//!
//! Nothing here names a runtime, a thread, a clock or a descriptor. Ends of FIFOs are traits
//! ([`crate::pipe`]), time is an argument, and every verb is a state machine whose `step` either is
//! done or says what to wait for ([`step`]). Partial frames live in these machines and never in a
//! future, so that a front end may abandon a wait at any point and lose nothing.

pub(crate) mod assembly;
pub(crate) mod buffer;
pub(crate) mod calls;
pub(crate) mod cancels;
pub(crate) mod client;
pub(crate) mod closing;
pub(crate) mod dialect;
pub(crate) mod errand;
pub(crate) mod event;
pub(crate) mod few;
pub(crate) mod hands;
pub(crate) mod inbox;
pub(crate) mod keys;
pub(crate) mod link;
pub(crate) mod messages;
pub(crate) mod open;
pub(crate) mod outbox;
pub(crate) mod raw;
pub(crate) mod read_side;
pub(crate) mod reading_end;
pub(crate) mod reconnect;
pub(crate) mod recv;
pub(crate) mod repeats;
pub(crate) mod retry;
pub(crate) mod send;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod step;
pub(crate) mod streams;
pub(crate) mod traffic;
pub(crate) mod units;
pub(crate) mod wire;
pub(crate) mod write_side;
pub(crate) mod writing_end;

#[cfg(test)]
mod model;
#[cfg(any(test, fuzzing))]
pub(crate) mod script;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
