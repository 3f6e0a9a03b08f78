//! Bytes into and out of a FIFO.

use std::io;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Reads what is there; `WouldBlock` where a writer has nothing more, zero where there is none.
pub(crate) fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match nix::unistd::read(fd, buffer) {
            Err(Errno::EINTR) => {}
            read => return Ok(read?),
        }
    }
}

/// Writes without raising SIGPIPE, whatever the host has made of that signal.
pub(crate) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match silent::write(fd, bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            written => return written,
        }
    }
}

/// Whether there were writers and all have left. A `read` of zero does not tell: it also means
/// that no writer has come yet.
pub(crate) fn has_hung_up(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let events = events(fd, PollFlags::POLLIN)?;
    Ok(events.contains(PollFlags::POLLHUP) && !events.contains(PollFlags::POLLIN))
}

/// Whether a read would find anything: bytes, or that all writers have left.
#[cfg(feature = "tokio")]
pub(crate) fn has_news(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(events(fd, PollFlags::POLLIN)?.intersects(PollFlags::POLLIN | PollFlags::POLLHUP))
}

/// Whether anybody has the FIFO that `fd` writes to open for reading.
pub(crate) fn has_reader(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(!events(fd, PollFlags::empty())?.intersects(PollFlags::POLLERR | PollFlags::POLLHUP))
}

fn events(fd: BorrowedFd<'_>, wanted: PollFlags) -> io::Result<PollFlags> {
    let mut fds = [PollFd::new(fd, wanted)];
    loop {
        match poll(&mut fds, PollTimeout::ZERO) {
            Err(Errno::EINTR) => {}
            polled => {
                polled?;
                return Ok(fds[0].revents().unwrap_or(PollFlags::empty()));
            }
        }
    }
}

/// How many bytes the pipe holds, where the platform says.
#[cfg(target_os = "linux")]
pub(crate) fn capacity(fd: BorrowedFd<'_>) -> Option<usize> {
    use nix::fcntl::{FcntlArg, fcntl};
    fcntl(fd, FcntlArg::F_GETPIPE_SZ).ok().and_then(|bytes| usize::try_from(bytes).ok())
}

/// Asks for another capacity. A hint: the kernel may refuse (quota, limit, bytes that would not
/// fit), and the FIFO works at any.
#[cfg(target_os = "linux")]
pub(crate) fn set_capacity(fd: BorrowedFd<'_>, bytes: usize) {
    use nix::fcntl::{FcntlArg, fcntl};
    let _ = fcntl(fd, FcntlArg::F_SETPIPE_SZ(i32::try_from(bytes).unwrap_or(i32::MAX)));
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn capacity(_fd: BorrowedFd<'_>) -> Option<usize> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn set_capacity(_fd: BorrowedFd<'_>, _bytes: usize) {}

/// A write to a FIFO without a reader is an error and nothing else.
#[cfg(target_os = "linux")]
mod silent {
    use std::io::{self, IoSlice};
    use std::os::fd::BorrowedFd;
    use std::sync::atomic::{AtomicBool, Ordering};

    use nix::sys::signal::{SigSet, SigmaskHow, Signal};
    use nix::sys::signalfd::{SfdFlags, SignalFd};
    use rustix::io::{Errno, ReadWriteFlags, pwritev2};

    /// `RWF_NOSIGNAL` of Linux's `<linux/fs.h>`, since 6.18.
    const NO_SIGNAL: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x100);

    /// At the descriptor's own position, which is the only one a pipe has.
    const HERE: u64 = u64::MAX;

    /// Whether the kernel is too old for the flag; found out by the first write.
    static MASKING: AtomicBool = AtomicBool::new(false);

    pub(super) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        if !MASKING.load(Ordering::Relaxed) {
            match pwritev2(fd, &[IoSlice::new(bytes)], HERE, NO_SIGNAL) {
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                    MASKING.store(true, Ordering::Relaxed);
                }
                written => return Ok(written?),
            }
        }
        write_masked(fd, bytes)
    }

    /// Blocks the signal for this thread, and takes the one that the write may have raised before
    /// the mask is put back. The signal goes to the writing thread, so no other is concerned.
    pub(super) fn write_masked(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = SigSet::empty();
        pipe.add(Signal::SIGPIPE);
        let before = pipe.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let written = nix::unistd::write(fd, bytes).map_err(io::Error::from);
        if matches!(&written, Err(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            take_pending(&pipe);
        }
        before.thread_set_mask()?;
        written
    }

    /// A read of a signal descriptor takes a pending signal and, unlike `sigwait`, never waits.
    fn take_pending(signals: &SigSet) {
        if let Ok(pending) =
            SignalFd::with_flags(signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        {
            let _ = pending.read_signal();
        }
    }
}

/// Elsewhere a plain write: silent where the host ignores SIGPIPE, as programs in Rust do from
/// their start.
#[cfg(not(target_os = "linux"))]
mod silent {
    use std::io;
    use std::os::fd::BorrowedFd;

    pub(super) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        Ok(nix::unistd::write(fd, bytes)?)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::fd::AsFd;

    use nix::sys::signal::{SigSet, SigmaskHow, Signal};

    use super::*;

    #[test]
    fn both_ways_of_writing_answer_a_dead_reader_with_an_error_and_leave_no_signal() {
        let mut sigpipe = SigSet::empty();
        sigpipe.add(Signal::SIGPIPE);
        let mask = || sigpipe.thread_swap_mask(SigmaskHow::SIG_BLOCK).unwrap();
        // With the signal blocked by the host, one that is left behind stays pending and is seen.
        let before = mask();
        for write in [silent::write, silent::write_masked] {
            let (reader, writer) = nix::unistd::pipe().unwrap();
            drop(reader);
            let error = write(writer.as_fd(), b"x").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let pending = status.lines().find(|line| line.starts_with("SigPnd:")).unwrap();
            let bits = u64::from_str_radix(pending["SigPnd:".len()..].trim(), 16).unwrap();
            assert_eq!(bits & (1 << (Signal::SIGPIPE as u64 - 1)), 0, "{pending}");
        }
        before.thread_set_mask().unwrap();
    }
}
