//! The one place that waits.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};

/// The descriptors an endpoint has to wait on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ends<'fd> {
    pub(crate) reader: Option<BorrowedFd<'fd>>,
    pub(crate) writer: Option<BorrowedFd<'fd>>,
    /// Tells of changes to the path while an end is being opened.
    pub(crate) watch: Option<BorrowedFd<'fd>>,
    /// Rung by other threads of this process.
    pub(crate) bell: Option<BorrowedFd<'fd>>,
}

/// Waits until one of `ends` is ready, or for `timeout`; for ever only where there is none.
///
/// A signal ends the wait as well: the caller looks at everything again anyway.
pub(crate) fn wait(ends: Ends<'_>, timeout: Option<Duration>) -> io::Result<()> {
    let wanted = [
        (ends.reader, PollFlags::POLLIN),
        (ends.writer, PollFlags::POLLOUT),
        (ends.watch, PollFlags::POLLIN),
        (ends.bell, PollFlags::POLLIN),
    ];
    let mut present = wanted.iter().filter_map(|(fd, flags)| fd.map(|fd| (fd, *flags)));
    let Some(first) = present.next() else { return sleep(timeout) };
    // Four places without an allocation: those that are left over repeat the first.
    let mut fds: [PollFd<'_>; 4] = std::array::from_fn(|place| {
        let (fd, flags) = if place == 0 { first } else { present.next().unwrap_or(first) };
        PollFd::new(fd, flags)
    });
    let count = wanted.iter().filter(|(fd, _)| fd.is_some()).count();
    poll(&mut fds[..count], timeout)
}

/// No descriptor at all: only time can end this wait.
fn sleep(timeout: Option<Duration>) -> io::Result<()> {
    match timeout {
        Some(_) => poll(&mut [], timeout),
        None => Err(io::Error::other("nothing to wait for")),
    }
}

#[cfg(target_os = "linux")]
fn poll(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    use nix::sys::time::TimeSpec;
    match nix::poll::ppoll(fds, timeout.map(TimeSpec::from_duration), None) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// In whole milliseconds, rounded up: a wait must not end before its time and start again.
#[cfg(not(target_os = "linux"))]
fn poll(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    use nix::poll::PollTimeout;
    let timeout = timeout.map_or(PollTimeout::NONE, |timeout| {
        let millis = timeout.as_micros().div_ceil(1000);
        PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
    });
    match nix::poll::poll(fds, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
