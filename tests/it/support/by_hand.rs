//! A server by hand: it reads what a client of the library writes, frame by frame, and answers what
//! the test tells it to.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use fifowire::Pair;

use super::frame::{Frame, seal};
use super::raw;
use super::time::until;

#[derive(Debug)]
pub(crate) struct ByHand {
    output: PathBuf,
    requests: File,
    replies: Option<File>,
    unread: Vec<u8>,
    /// Bytes of the frames that were read.
    pub(crate) consumed: usize,
    /// Whether any of them had a mask.
    pub(crate) had_mask: bool,
}

/// Its life.
pub(crate) const EPOCH: u64 = 7;

impl ByHand {
    /// Reads the requests from here on. What it writes, a client must be there to read.
    pub(crate) fn at(pair: &Pair) -> Self {
        let (requests, output) = (raw::reader(pair.input()), pair.output().to_owned());
        Self { output, requests, replies: None, unread: Vec::new(), consumed: 0, had_mask: false }
    }

    /// The bytes that lie in the request FIFO.
    pub(crate) fn unread_bytes(&self) -> usize {
        rustix::io::ioctl_fionread(&self.requests).unwrap() as usize
    }

    /// Waits for the next frame.
    pub(crate) fn next(&mut self) -> Frame {
        let mut next = None;
        until("the next frame comes", || {
            next = self.try_next();
            next.is_some()
        });
        next.unwrap()
    }

    /// The next frame that is here. What was given up midway is none.
    pub(crate) fn try_next(&mut self) -> Option<Frame> {
        self.unread.extend(raw::drain(&mut self.requests));
        let (frame, used) = Frame::parse(&self.unread)?;
        let sealed = seal(self.unread[..used - 4].to_vec());
        let holds = sealed == self.unread[..used];
        self.unread.drain(..used);
        self.consumed += used;
        self.had_mask |= frame.is_masked();
        if holds { Some(frame.unmasked()) } else { self.try_next() }
    }

    /// Answers a frame.
    pub(crate) fn answer(&mut self, asked: &Frame, kind: u8, payload: &[u8]) {
        self.write(&asked.answer(kind, EPOCH, payload).bytes());
    }

    /// Writes these bytes, in one write if they are no more than a pipe takes in one piece.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let replies = self.replies.get_or_insert_with(|| raw::writer(&self.output));
        replies.write_all(bytes).unwrap();
    }
}
