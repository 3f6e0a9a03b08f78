//! Bytes that a request brings beside its message.

use std::fmt;
use std::io::{self, Read};
use std::time::Instant;

use super::responder::Machine;
use crate::blocking::turn::Turn;
use crate::core::errand::NextPart;
use crate::core::server::Asker;
use crate::core::streams::WINDOW;
use crate::error::Phase;
use crate::front::{Chunk, Term, failed_before};

/// The bytes that a request brings beside its message; see [`Call::upload`](crate::Call::upload).
///
/// Nothing of them comes before the first read, and no more than 48 KiB wait here afterwards. A
/// request that brings none reads as empty. A read fails where a part is lost, once nobody wants
/// the answer any more or the request is answered, and at the caller's deadline; `io::Error` holds
/// the error as its inner error. What was not read when the request is answered is dropped.
pub struct Payload<'a> {
    turn: &'a Turn<Machine>,
    asker: Asker,
    chunk: Chunk,
    over: bool,
    failed: bool,
}

impl<'a> Payload<'a> {
    pub(super) fn new(turn: &'a Turn<Machine>, asker: Asker) -> Self {
        Self { turn, asker, chunk: Chunk::default(), over: !asker.options.upload, failed: false }
    }
}

impl Read for Payload<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !buffer.is_empty() && !self.over {
            let now = Instant::now();
            let term = Term::until(now, self.asker.deadline);
            let next = NextPart::new(self.asker.caller, WINDOW, term.deadline);
            if self.failed {
                return Err(failed_before());
            }
            let part = self.turn.run(next, now, term, Phase::Read);
            self.failed = part.is_err();
            match part? {
                Some(part) => {
                    let before = self.chunk.replace(part);
                    self.turn.with(|answerer| answerer.link_mut().recycle(before));
                }
                None => self.over = true,
            }
        }
        Ok(self.chunk.read(buffer))
    }
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").finish_non_exhaustive()
    }
}
