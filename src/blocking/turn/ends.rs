//! What a thread sleeps on that leads.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use crate::blocking::drive;
use crate::core::session::Session;
use crate::core::step::Wait;
use crate::error::Result;
use crate::node::{ReadOpener, WriteOpener};
use crate::sync::Bell;
use crate::sys::{self, Watch};

/// What threads take turns at: a session whose ends can be slept on.
pub(crate) trait Shared: Session {
    type Ends: SleptOn;

    /// The ends that are open now.
    fn ends(&self) -> Self::Ends;
}

/// Ends that stay open while they are slept on, even if the session exchanges them.
pub(crate) trait SleptOn {
    /// Sleeps until one of those that `wait` names is ready, its time comes, or the bell rings.
    fn sleep(&self, bell: &Bell, wait: Wait, now: Instant) -> Result<()>;
}

impl<S: Session<R = ReadOpener, W = WriteOpener>> Shared for S {
    type Ends = HeldEnds;

    fn ends(&self) -> HeldEnds {
        let link = self.link();
        HeldEnds {
            reader: link.reader().map(|end| Arc::clone(end.held())),
            writer: link.writer().map(|end| Arc::clone(end.held())),
            watch: link.outgoing().watch().or_else(|| link.incoming().watch()).cloned(),
        }
    }
}

/// The descriptors of two FIFOs, and the watch over the one that is being opened.
#[derive(Debug)]
pub(crate) struct HeldEnds {
    reader: Option<Arc<OwnedFd>>,
    writer: Option<Arc<OwnedFd>>,
    watch: Option<Arc<Watch>>,
}

impl SleptOn for HeldEnds {
    fn sleep(&self, bell: &Bell, wait: Wait, now: Instant) -> Result<()> {
        let ends = sys::Ends {
            reader: self.reader.as_ref().map(|fd| fd.as_fd()),
            writer: self.writer.as_ref().map(|fd| fd.as_fd()),
            watch: self.watch.as_ref().map(|watch| watch.as_fd()),
            bell: Some(bell.as_fd()),
        };
        drive::sleep(ends, wait, now)
    }
}
