//! The peer: what one writes by hand over a FIFO, and writes well.
//!
//! Blocking descriptors, a four-byte length before each message, one `write` a message, one `read`
//! into a buffer that is used again. It has none of what the library promises (no deadline, no
//! atomicity beyond `PIPE_BUF`, no sign of a torn message), so its cost is the floor.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Opens for reading, once a writer opens too.
pub(crate) fn open_reader(path: &Path) -> File {
    File::open(path).expect("the FIFO exists")
}

/// Opens for writing, once a reader opens too.
pub(crate) fn open_writer(path: &Path) -> File {
    OpenOptions::new().write(true).open(path).expect("the FIFO exists")
}

/// Asks for a capacity.
pub(crate) fn set_capacity(fifo: &File, bytes: usize) {
    let bytes = i32::try_from(bytes).expect("capacities are small");
    fcntl(fifo, FcntlArg::F_SETPIPE_SZ(bytes)).expect("within the system's limit");
}

const LENGTH_LEN: usize = 4;

/// Messages that are written.
pub(crate) struct Outbound {
    fifo: File,
    buffer: [u8; 4096],
}

/// Messages that are read.
pub(crate) struct Inbound {
    fifo: File,
    unread: Unread,
}

impl Outbound {
    pub(crate) fn new(fifo: File) -> Self {
        Self { fifo, buffer: [0; 4096] }
    }

    pub(crate) fn send(&mut self, value: &impl Serialize) {
        self.fifo.write_all(framed(value, &mut self.buffer)).expect("the reader is there");
    }
}

impl Inbound {
    pub(crate) fn new(fifo: File) -> Self {
        Self { fifo, unread: Unread::new() }
    }

    /// The next message; `None` once the writer has left.
    pub(crate) fn recv<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            if let Some(value) = self.unread.take() {
                return Some(value);
            }
            match self.fifo.read(self.unread.room()).expect("the FIFO is readable") {
                0 => return None,
                count => self.unread.add(count),
            }
        }
    }
}

/// A message and its length in front, in one piece.
pub(crate) fn framed<'a>(value: &impl Serialize, buffer: &'a mut [u8]) -> &'a [u8] {
    let body = postcard::to_slice(value, &mut buffer[LENGTH_LEN..]).expect("it fits");
    let length = body.len();
    buffer[..LENGTH_LEN].copy_from_slice(&(length as u32).to_le_bytes());
    &buffer[..LENGTH_LEN + length]
}

/// Bytes that were read and are no messages yet, in a buffer that is used again.
pub(crate) struct Unread {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Unread {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; 64 * 1024], start: 0, end: 0 }
    }

    /// The next message, where the whole of it is here.
    pub(crate) fn take<T: DeserializeOwned>(&mut self) -> Option<T> {
        let unread = &self.buffer[self.start..self.end];
        let (length, rest) = unread.split_first_chunk::<LENGTH_LEN>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let value = postcard::from_bytes(rest.get(..length)?).expect("a message of ours");
        self.start += LENGTH_LEN + length;
        Some(value)
    }

    /// Where to read more to.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        &mut self.buffer[self.end..]
    }

    /// So many bytes were read.
    pub(crate) fn add(&mut self, count: usize) {
        self.end += count;
    }
}
