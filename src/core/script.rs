//! Scripted pipes for the core's tests.
