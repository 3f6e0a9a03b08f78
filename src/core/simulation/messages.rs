//! What requests and replies say: it follows from the number of the call and the size, so that
//! nobody has to remember it, and no two calls say the same.

use std::sync::OnceLock;

use super::random::Random;
use crate::core::wire::MAGIC;

/// Numbers the calls of a run.
pub(super) type Serial = u32;

/// The largest message.
pub(super) const LARGEST: usize = 200_000;

/// The message of a request.
pub(super) fn request(serial: Serial, size: usize) -> Vec<u8> {
    content(u64::from(serial) << 1, size)
}

/// The message of the reply to it.
pub(super) fn reply(serial: Serial, size: usize) -> Vec<u8> {
    content(u64::from(serial) << 1 | 1, size)
}

/// One of many replies.
pub(super) fn item(serial: Serial, number: usize, size: usize) -> Vec<u8> {
    content(OF_STREAMS | (number as u64) << 24 | u64::from(serial), size)
}

/// A part of what a request brings.
pub(super) fn part(serial: Serial, number: usize, size: usize) -> Vec<u8> {
    content(OF_STREAMS | PART | (number as u64) << 24 | u64::from(serial), size)
}

/// What a tag of five bytes has that is none of a request or of its reply.
const OF_STREAMS: u64 = 1 << 39;
const PART: u64 = 1 << 38;

/// The words of a failure.
pub(super) fn words(serial: Serial) -> String {
    format!("no {serial}")
}

/// Bytes that begin with `tag`, as far as there is room, and go on from a place of their own in a
/// long piece of noise.
fn content(tag: u64, size: usize) -> Vec<u8> {
    let noise = noise();
    let from = Random::new(tag).below(SPREAD);
    let mut bytes = noise[from..from + size].to_vec();
    for (to, from) in bytes.iter_mut().zip(tag.to_be_bytes().into_iter().skip(3)) {
        *to = from;
    }
    bytes
}

/// Noise in which the magic stands now and then, so that some frames have to be masked.
fn noise() -> &'static [u8] {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    NOISE.get_or_init(|| {
        let mut random = Random::new(0);
        let mut bytes: Vec<u8> = (0..SPREAD + LARGEST).map(|_| random.next() as u8).collect();
        for at in (0..bytes.len() - MAGIC.len()).step_by(40_009) {
            bytes[at..at + MAGIC.len()].copy_from_slice(&MAGIC);
        }
        bytes
    })
}

/// How many places there are to begin at.
const SPREAD: usize = 1 << 17;
