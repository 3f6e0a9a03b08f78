//! Plain bytes into and out of a FIFO, for protocols of one's own. The traits of the runtime for
//! reading and writing are implemented beside the runtime.

mod reader;
mod writer;

use std::io;
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Instant;

use super::drive::Endpoint;
use super::runtime::{Ready, Runtime};
use crate::core::raw::{RawReading, RawWriting, Unopened};
use crate::core::step::Wait;
use crate::deadline::Deadline;
use crate::node::{ReadOpener, WriteOpener};
use crate::pipe::Opener;
use crate::stats::Tally;
pub use reader::FifoReader;
pub use writer::FifoWriter;

impl<R: Runtime, O: Opener> Endpoint<R> for Unopened<O> {
    fn path(&self) -> &Path {
        self.opener().path()
    }

    /// Only another attempt can tell.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn look(&mut self, _now: Instant, _deadline: Deadline) -> Option<Wait> {
        None
    }
}

impl<R: Runtime> Endpoint<R> for RawReading<ReadOpener<R::Reader>> {
    fn path(&self) -> &Path {
        self.opener().path()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_mut().held_mut().poll_ready(cx)
    }

    fn look(&mut self, now: Instant, deadline: Deadline) -> Option<Wait> {
        self.look(now, deadline)
    }

    fn tally(&self) -> Tally {
        self.tally()
    }
}

impl<R: Runtime> Endpoint<R> for RawWriting<WriteOpener<R::Writer>> {
    fn path(&self) -> &Path {
        self.opener().path()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_mut().held_mut().poll_ready(cx)
    }

    fn look(&mut self, now: Instant, _deadline: Deadline) -> Option<Wait> {
        self.look(now)
    }
}
