//! Notice of changes to a path, as an accelerator for the retry timer.
//!
//! A peer that opens the FIFO without blocking, or creates it, is noticed in about 0.1 ms instead
//! of at the next attempt. It cannot replace the timer: a reader that is blocked in its own `open`
//! raises no event, and every step here may fail (the limit of instances per user is 128).

#[cfg(target_os = "linux")]
pub(crate) use linux::Watch;

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::{AsFd, BorrowedFd};
    use std::path::Path;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

    /// An inotify instance that follows one path.
    #[derive(Debug)]
    pub(crate) struct Watch {
        inotify: Inotify,
        /// What is being watched now.
        watched: Mutex<Vec<WatchDescriptor>>,
    }

    impl Watch {
        pub(crate) fn new() -> Option<Self> {
            let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok()?;
            Some(Self { inotify, watched: Mutex::default() })
        }

        /// Becomes readable when somebody opens the FIFO at `path`, or creates it.
        pub(crate) fn follow(&self, path: &Path) {
            self.drain();
            let opened = AddWatchFlags::IN_OPEN | AddWatchFlags::IN_DONT_FOLLOW;
            if self.add(path, opened).is_none() {
                let appears = AddWatchFlags::IN_CREATE
                    | AddWatchFlags::IN_MOVED_TO
                    | AddWatchFlags::IN_ONLYDIR;
                self.add(directory_of(path), appears);
            }
        }

        /// Watches nothing any more. Closing is cheap some milliseconds later: the kernel has
        /// forgotten the watches by then, and need not be waited for.
        pub(crate) fn rest(&self) {
            for descriptor in self.watched().drain(..) {
                let _ = self.inotify.rm_watch(descriptor);
            }
            self.drain();
        }

        fn add(&self, path: &Path, events: AddWatchFlags) -> Option<()> {
            let descriptor = self.inotify.add_watch(path, events).ok()?;
            let mut watched = self.watched();
            if !watched.contains(&descriptor) {
                watched.push(descriptor);
            }
            Some(())
        }

        /// Forgets the events that have ended a wait.
        fn drain(&self) {
            while self.inotify.read_events().is_ok_and(|events| !events.is_empty()) {}
        }

        fn watched(&self) -> MutexGuard<'_, Vec<WatchDescriptor>> {
            self.watched.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl AsFd for Watch {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.inotify.as_fd()
        }
    }

    fn directory_of(path: &Path) -> &Path {
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::Watch;

/// The timer alone.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::os::fd::{AsFd, BorrowedFd};
    use std::path::Path;

    /// Never made.
    #[derive(Debug)]
    pub(crate) enum Watch {}

    impl Watch {
        pub(crate) fn new() -> Option<Self> {
            None
        }

        pub(crate) fn follow(&self, _path: &Path) {
            match *self {}
        }

        pub(crate) fn rest(&self) {
            match *self {}
        }
    }

    impl AsFd for Watch {
        fn as_fd(&self) -> BorrowedFd<'_> {
            match *self {}
        }
    }
}
