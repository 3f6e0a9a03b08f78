//! Any bytes through both framings and the dialect: `cargo +nightly fuzz run frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fifowire::fuzzing::frames(data));
