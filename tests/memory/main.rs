//! Memory, counted: a steady stream allocates nothing, and no peer can make an endpoint grow.
//!
//! A test target of its own, because it replaces the process's allocator by one that counts.

mod allocator;
mod hostile;
mod payload;
mod steady;
mod streams;
// What the other test binary stands on; this one needs a part of it.
#[allow(dead_code, unused_imports)]
#[path = "../it/support/mod.rs"]
mod support;
