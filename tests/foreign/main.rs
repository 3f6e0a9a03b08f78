//! Scenarios with peers that are not fifowire: Python 3 and the shell, and the kernel's own view.
//!
//! `cargo test --test foreign`. Real FIFOs, real processes, one test at a time under a watchdog.
//! A peer that is missing on this machine is a failure with an instruction, never a skip. How late
//! a peer is, is the peer's own affair: nothing here sleeps.

mod a1;
mod native;
mod support;
mod syscalls;
