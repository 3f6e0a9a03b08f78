//! The parts by themselves: encode, decode, frame.
fn main() {}
