//! What is asked of, and done to, a descriptor that came from elsewhere.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

/// What a descriptor was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    Both,
    /// A mere name for the file.
    Neither,
}

pub(crate) fn access_of(fd: BorrowedFd<'_>) -> io::Result<Access> {
    let flags = flags(fd)?;
    if is_name(flags) {
        return Ok(Access::Neither);
    }
    Ok(match flags & OFlag::O_ACCMODE {
        OFlag::O_RDONLY => Access::Read,
        OFlag::O_WRONLY => Access::Write,
        _ => Access::Both,
    })
}

/// Non-blocking and close-on-exec, as what we open is.
pub(crate) fn make_ours(fd: BorrowedFd<'_>) -> io::Result<()> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    let flags = flags(fd)?;
    if !flags.contains(OFlag::O_NONBLOCK) {
        fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    }
    Ok(())
}

/// The kernel shows such a descriptor as one that reads.
#[cfg(target_os = "linux")]
fn is_name(flags: OFlag) -> bool {
    flags.contains(OFlag::O_PATH)
}

#[cfg(not(target_os = "linux"))]
fn is_name(_flags: OFlag) -> bool {
    false
}

fn flags(fd: BorrowedFd<'_>) -> io::Result<OFlag> {
    Ok(OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?))
}

/// What the kernel calls it: a path, or `pipe:[inode]`.
pub(crate) fn name_of(fd: &OwnedFd) -> Option<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()
}
