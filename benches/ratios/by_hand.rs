//! The peer: what one writes by hand over a FIFO, and writes well.
//!
//! Blocking descriptors, a four-byte length before each message, one `write` a message, one `read`
//! into a buffer that is used again. It has none of what the library promises (no deadline, no
//! atomicity beyond `PIPE_BUF`, no sign of a torn message), so its cost is the floor.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::stat::Mode;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Makes a FIFO as `mkfifo` does.
pub(crate) fn make_fifo(path: &Path) {
    nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).expect("the path is free");
}

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
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Outbound {
    pub(crate) fn new(fifo: File) -> Self {
        Self { fifo, buffer: [0; 4096] }
    }

    pub(crate) fn send(&mut self, value: &impl Serialize) {
        let body = postcard::to_slice(value, &mut self.buffer[LENGTH_LEN..]).expect("it fits");
        let length = body.len();
        self.buffer[..LENGTH_LEN].copy_from_slice(&(length as u32).to_le_bytes());
        self.fifo.write_all(&self.buffer[..LENGTH_LEN + length]).expect("the reader is there");
    }
}

impl Inbound {
    pub(crate) fn new(fifo: File) -> Self {
        Self { fifo, buffer: vec![0; 64 * 1024], start: 0, end: 0 }
    }

    /// The next message; `None` once the writer has left.
    pub(crate) fn recv<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some((length, rest)) = unread.split_first_chunk::<LENGTH_LEN>() {
                let length = u32::from_le_bytes(*length) as usize;
                if let Some(body) = rest.get(..length) {
                    let value = postcard::from_bytes(body).expect("a message of ours");
                    self.start += LENGTH_LEN + length;
                    return Some(value);
                }
            }
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            match self.fifo.read(&mut self.buffer[self.end..]).expect("the FIFO is readable") {
                0 => return None,
                count => self.end += count,
            }
        }
    }
}
