//! Ends the sleep of a thread that waits on descriptors, from another thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// A descriptor that is readable from when it is rung until it is silenced.
#[derive(Debug)]
pub(crate) struct Bell(Kind);

#[cfg(target_os = "linux")]
use counter::Counter as Kind;
#[cfg(not(target_os = "linux"))]
use plumbing::Pipe as Kind;

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        Kind::new().map(Self)
    }

    pub(crate) fn ring(&self) {
        self.0.ring();
    }

    pub(crate) fn silence(&self) {
        self.0.silence();
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// One descriptor, where the kernel has such a thing.
#[cfg(target_os = "linux")]
mod counter {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd};

    use nix::sys::eventfd::{EfdFlags, EventFd};

    #[derive(Debug)]
    pub(super) struct Counter(EventFd);

    impl Counter {
        pub(super) fn new() -> io::Result<Self> {
            let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
            Ok(Self(EventFd::from_value_and_flags(0, flags)?))
        }

        // A counter refuses only what would not change whether it is zero.
        pub(super) fn ring(&self) {
            let _ = self.0.write(1);
        }

        pub(super) fn silence(&self) {
            let _ = self.0.read();
        }
    }

    impl AsFd for Counter {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

/// A pipe to oneself, anywhere else.
#[cfg(any(test, not(target_os = "linux")))]
mod plumbing {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
    use nix::unistd::{pipe, read, write};

    #[derive(Debug)]
    pub(super) struct Pipe {
        reader: OwnedFd,
        writer: OwnedFd,
    }

    impl Pipe {
        pub(super) fn new() -> io::Result<Self> {
            let (reader, writer) = pipe()?;
            for end in [&reader, &writer] {
                fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
                fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            }
            Ok(Self { reader, writer })
        }

        // A full pipe rings already.
        pub(super) fn ring(&self) {
            let _ = write(&self.writer, &[0]);
        }

        pub(super) fn silence(&self) {
            let mut bytes = [0; 64];
            while read(&self.reader, &mut bytes).is_ok_and(|count| count == bytes.len()) {}
        }
    }

    impl AsFd for Pipe {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.reader.as_fd()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sys::{Ends, wait};

    /// Whether a wait on it ends before its time.
    fn rings(bell: BorrowedFd<'_>) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        poll(&mut [PollFd::new(bell, PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn a_bell_rings_until_it_is_silenced_however_often_it_was_rung() {
        let bell = Bell::new().unwrap();
        assert!(!rings(bell.as_fd()));
        (0..3).for_each(|_| bell.ring());
        assert!(rings(bell.as_fd()));
        bell.silence();
        assert!(!rings(bell.as_fd()));
        bell.silence();
        bell.ring();
        let ends = Ends { bell: Some(bell.as_fd()), ..Ends::default() };
        wait(ends, Some(Duration::from_secs(60))).unwrap();
    }

    #[test]
    fn a_pipe_does_where_there_is_no_counter() {
        let pipe = plumbing::Pipe::new().unwrap();
        // More than the pipe holds.
        (0..100_000).for_each(|_| pipe.ring());
        assert!(rings(pipe.as_fd()));
        pipe.silence();
        assert!(!rings(pipe.as_fd()));
    }
}
