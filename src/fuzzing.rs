//! The fuzz promise: any bytes give a message or an error, never a panic, never unbounded memory,
//! never a wrong message.
//!
//! Both entry points take any bytes at all. The targets in `fuzz/` call them with what the fuzzer
//! comes up with; `cargo test` calls them with what it came up with before.

mod frames;
mod session;
mod streams;

pub use frames::frames;
pub use session::session;

/// The fuzzer's bytes, as the choices they stand for. Where they end, every choice is zero.
#[derive(Debug)]
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One of the first `count` numbers.
    fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count.max(1)
    }

    /// A size: small ones in steps of one, up to about 32 KiB in steps that grow.
    fn size(&mut self) -> usize {
        let byte = usize::from(self.byte());
        if byte < 64 { byte } else { (byte - 56) * (byte - 56) * (byte - 56) / 240 + 62 }
    }

    /// The next bytes themselves, as many as there are.
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// Bytes in which no frame begins: a stranger who speaks this protocol is no stranger. They
    /// are stirred, so that a fuzzer which follows comparisons cannot finish a torn frame with a
    /// checksum of its own.
    fn garbage(&mut self) -> Vec<u8> {
        let count = self.size();
        let stirred = self.bytes(count).iter().zip(noise(count, 1)).map(|(byte, noise)| {
            let byte = byte ^ noise;
            if byte == crate::core::wire::MAGIC[0] { 0 } else { byte }
        });
        stirred.collect()
    }
}

/// Bytes that are different for every seed, and the same for the same.
fn noise(count: usize, seed: u32) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    })
    .take(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Runs `target` on every file of its corpus.
    fn replay(name: &str, target: impl Fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let mut count = 0;
        for entry in std::fs::read_dir(&corpus).expect("the corpus is there") {
            let path = entry.unwrap().path();
            // The name of the file that fails is in the output of the test.
            println!("{}", path.display());
            target(&std::fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count > 0, "{} is empty", corpus.display());
    }

    #[test]
    fn the_corpus_of_frames_holds_the_promise() {
        replay("frames", frames);
    }

    #[test]
    fn the_corpus_of_sessions_holds_the_promise() {
        replay("session", session);
    }

    #[test]
    fn bytes_that_nobody_chose_hold_the_promise() {
        for seed in 0..300 {
            let data: Vec<u8> = noise(600, seed + 1).collect();
            frames(&data);
            session(&data);
        }
    }
}
