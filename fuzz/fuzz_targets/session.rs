//! A client and a server, and all that can happen: `cargo +nightly fuzz run session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fifowire::fuzzing::session(data));
