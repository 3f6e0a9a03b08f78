//! Ends of FIFOs that know nothing of fifowire: peers that misbehave on purpose.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NONBLOCK;
use nix::sys::stat::Mode;

use super::time::until;

/// Makes a FIFO with mode `0600`.
pub(crate) fn make_fifo(path: &Path) {
    nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
}

/// Opens the reading end at once; its reads do not wait.
pub(crate) fn reader(path: &Path) -> File {
    OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path).unwrap()
}

/// Opens the reading end and waits for a writer, as `cat` does.
pub(crate) fn patient_reader(path: &Path) -> File {
    File::open(path).unwrap()
}

/// Opens the writing end of a FIFO that somebody reads; its writes wait for room.
pub(crate) fn writer(path: &Path) -> File {
    OpenOptions::new().write(true).open(path).unwrap()
}

/// Reads what is there and no more.
pub(crate) fn drain(reader: &mut File) -> Vec<u8> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 65_536]);
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return bytes,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return bytes,
            Err(error) => panic!("read: {error}"),
        }
    }
}

/// Reads this many bytes, waiting for them.
pub(crate) fn take(reader: &mut File, count: usize) -> Vec<u8> {
    let (mut bytes, mut chunk) = (Vec::with_capacity(count), [0; 4096]);
    until("the bytes come", || {
        while bytes.len() < count {
            let most = chunk.len().min(count - bytes.len());
            match reader.read(&mut chunk[..most]) {
                Ok(0) => return false,
                Ok(read) => bytes.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => panic!("read: {error}"),
            }
        }
        true
    });
    bytes
}
