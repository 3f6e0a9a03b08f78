//! Advisory locks on the ends of a FIFO: released by the kernel when the holder dies.
//!
//! Readers and writers must not exclude each other, and one file has only one `flock`. So readers
//! take the `flock`, and writers take record locks, which the kernel keeps apart from it: a writer
//! that wants the end alone locks every byte, one that shares it locks a byte of its own. (A
//! shared record lock needs a descriptor that can read.) Locks bind those who ask; a program that
//! does not ask is not kept out.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{FlockOperation, flock};

/// Takes the reading end alone; `false` where another reader holds it.
pub(crate) fn lock_reader(fd: BorrowedFd<'_>) -> io::Result<bool> {
    match flock(fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Takes the writing end, alone or shared; `false` where that contradicts another writer.
#[cfg(target_os = "linux")]
pub(crate) fn lock_writer(fd: BorrowedFd<'_>, alone: bool) -> io::Result<bool> {
    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;

    // One byte in 2^62 for each that shares; zero length means up to the end.
    const SHARED_BYTES: u64 = 1 << 62;
    let tries = if alone { 1 } else { 4 };
    for _ in 0..tries {
        let (start, length) = if alone { (0, 0) } else { (super::random_u64() % SHARED_BYTES, 1) };
        let lock = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: start as libc::off_t,
            l_len: length,
            l_pid: 0,
        };
        match fcntl(fd, FcntlArg::F_OFD_SETLK(&lock)) {
            Ok(_) => return Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

/// Where there are no record locks that belong to a descriptor, writers do not exclude each other.
#[cfg(not(target_os = "linux"))]
pub(crate) fn lock_writer(_fd: BorrowedFd<'_>, _alone: bool) -> io::Result<bool> {
    Ok(true)
}
