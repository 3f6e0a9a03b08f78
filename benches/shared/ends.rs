//! FIFOs and their ends as the system gives them.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NONBLOCK;
use nix::sys::stat::Mode;

/// Makes a FIFO as `mkfifo` does.
pub(crate) fn make_fifo(path: &Path) {
    nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).expect("the path is free");
}

/// Opens for reading, at once and whoever else is there.
pub(crate) fn reader(path: &Path) -> File {
    File::options().read(true).custom_flags(O_NONBLOCK).open(path).expect("the FIFO exists")
}

/// Opens for writing a FIFO that has a reader.
pub(crate) fn writer(path: &Path) -> File {
    File::options().write(true).custom_flags(O_NONBLOCK).open(path).expect("a reader is there")
}

/// Writes until not a byte more fits, into a FIFO that has a reader.
pub(crate) fn fill(path: &Path) {
    let mut writer = writer(path);
    // A page at a time: that much goes in whole or not at all, and no page is left half empty.
    let page = [b'x'; 4096];
    loop {
        match writer.write(&page) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("fill {}: {error}", path.display()),
        }
    }
}
