//! Plain bytes into and out of a FIFO, for protocols of one's own.

mod reader;
mod writer;

use std::os::fd::AsFd;
use std::path::Path;

use super::drive::Endpoint;
use crate::core::raw::{RawReading, RawWriting, Unopened};
use crate::node::{ReadOpener, WriteOpener};
use crate::pipe::Opener;
use crate::stats::Tally;
use crate::sys::Ends;
pub use reader::FifoReader;
pub use writer::FifoWriter;

impl Endpoint for Unopened<ReadOpener> {
    fn path(&self) -> &Path {
        self.opener().path()
    }

    fn ends(&self) -> Ends<'_> {
        Ends { watch: self.opener().watch().map(|watch| watch.as_fd()), ..Ends::default() }
    }
}

impl Endpoint for Unopened<WriteOpener> {
    fn path(&self) -> &Path {
        self.opener().path()
    }

    fn ends(&self) -> Ends<'_> {
        Ends { watch: self.opener().watch().map(|watch| watch.as_fd()), ..Ends::default() }
    }
}

impl Endpoint for RawReading<ReadOpener> {
    fn path(&self) -> &Path {
        self.opener().path()
    }

    fn ends(&self) -> Ends<'_> {
        Ends { reader: Some(self.end().as_fd()), ..Ends::default() }
    }

    fn tally(&self) -> Tally {
        self.tally()
    }
}

impl Endpoint for RawWriting<WriteOpener> {
    fn path(&self) -> &Path {
        self.opener().path()
    }

    fn ends(&self) -> Ends<'_> {
        Ends { writer: Some(self.end().as_fd()), ..Ends::default() }
    }
}
