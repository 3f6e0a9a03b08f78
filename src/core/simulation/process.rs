//! A process and the ends it holds: it may die at any system call, and what it held is let go of
//! in an order that nobody promises.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::rc::Rc;

use super::random::Random;
use crate::core::model::{Cause, Causes};
use crate::core::script::{self, Place, Ready};
use crate::error::{Error, Phase, Result};
use crate::pipe::{Attempt, Opener, Read, Sink, Source, Standing, Write};

/// One life of an endpoint, as the kernel sees it.
#[derive(Debug)]
pub(super) struct Process {
    random: RefCell<Random>,
    transfers: Transfers,
    /// System calls that are left to it, where its death is decided.
    fuse: Cell<Option<u32>>,
    dead: Cell<bool>,
    leaves: Cell<Leaves>,
    /// Ends that the kernel has not closed yet although the process is dead.
    lingering: RefCell<Vec<Lingering>>,
    /// What the kernel has answered since somebody asked.
    facts: Cell<Causes>,
}

/// How much one read or write moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfers {
    /// What there is room for.
    Whole,
    /// Sometimes less.
    Short,
    /// Less each time, often a single byte.
    Tiny,
}

/// Which end outlives its process for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    Nothing,
    Reader,
    Writer,
}

/// An end that is only there to be closed.
#[derive(Debug)]
#[allow(dead_code)]
pub(super) enum Lingering {
    Reader(script::ReadEnd),
    Writer(script::WriteEnd),
}

impl Process {
    pub(super) fn new(random: Random, transfers: Transfers) -> Rc<Self> {
        Rc::new(Self {
            random: RefCell::new(random),
            transfers,
            fuse: Cell::new(None),
            dead: Cell::new(false),
            leaves: Cell::new(Leaves::Nothing),
            lingering: RefCell::default(),
            facts: Cell::default(),
        })
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.get()
    }

    /// Dies now.
    pub(super) fn kill(&self, leaves: Leaves) {
        self.leaves.set(leaves);
        self.dead.set(true);
    }

    /// Dies at the system call after these.
    pub(super) fn kill_after(&self, calls: u32, leaves: Leaves) {
        self.leaves.set(leaves);
        self.fuse.set(Some(calls));
    }

    /// Nothing is going to happen to it any more.
    pub(super) fn spare(&self) {
        self.fuse.set(None);
    }

    /// The kernel closes what is left.
    pub(super) fn close_all(&self) {
        self.leaves.set(Leaves::Nothing);
        self.lingering.borrow_mut().clear();
    }

    /// What the kernel has answered since this was asked last.
    pub(super) fn take_facts(&self) -> Causes {
        self.facts.take()
    }

    fn stands(&self, standing: Standing, replaced: Cause) -> Standing {
        if standing == Standing::Replaced {
            self.learns(replaced);
        }
        standing
    }

    fn learns(&self, cause: Cause) {
        self.facts.set(self.facts.get().with(cause));
    }

    /// One system call: the dead make none.
    fn system_call(&self) -> io::Result<()> {
        match self.fuse.get() {
            Some(0) => self.dead.set(true),
            Some(left) => self.fuse.set(Some(left - 1)),
            None => {}
        }
        if self.is_dead() { Err(io::Error::other("the process is dead")) } else { Ok(()) }
    }

    /// How much of `most` bytes is moved; at least one where there is one.
    fn transfer(&self, most: usize) -> usize {
        let random = &mut *self.random.borrow_mut();
        let short = match self.transfers {
            Transfers::Whole => false,
            Transfers::Short => random.once_in(4),
            Transfers::Tiny => true,
        };
        match short {
            false => most,
            true if random.once_in(3) => most.min(1),
            true => random.between(1, most.max(1)).min(most),
        }
    }
}

/// Opens ends for a process.
#[derive(Debug)]
pub(super) struct Opens<O> {
    opener: O,
    process: Rc<Process>,
}

pub(super) type ReadOpener = Opens<script::ReadOpener>;
pub(super) type WriteOpener = Opens<script::WriteOpener>;

pub(super) fn reader(place: &Place, process: &Rc<Process>) -> ReadOpener {
    Opens { opener: place.reader(), process: Rc::clone(process) }
}

pub(super) fn writer(place: &Place, process: &Rc<Process>) -> WriteOpener {
    Opens { opener: place.writer(), process: Rc::clone(process) }
}

impl<O: Opener<End: Lingers>> Opener for Opens<O> {
    type End = End<O::End>;

    fn path(&self) -> &Path {
        self.opener.path()
    }

    fn attempt(&mut self) -> Result<Attempt<Self::End>> {
        self.process.system_call().map_err(|error| Error::system(error, Phase::Open))?;
        Ok(match self.opener.attempt()? {
            Attempt::Open(end) => {
                Attempt::Open(End { end: Some(end), process: Rc::clone(&self.process) })
            }
            Attempt::Refused(refusal) => Attempt::Refused(refusal),
        })
    }
}

/// An end in the hands of a process.
#[derive(Debug)]
pub(super) struct End<E: Lingers> {
    /// Taken when it is let go of.
    end: Option<E>,
    process: Rc<Process>,
}

impl<E: Lingers> End<E> {
    fn end(&self) -> &E {
        self.end.as_ref().expect("an end is there until it is dropped")
    }

    fn call(&mut self) -> io::Result<&mut E> {
        self.process.system_call()?;
        Ok(self.end.as_mut().expect("an end is there until it is dropped"))
    }
}

impl<E: Lingers> Drop for End<E> {
    fn drop(&mut self) {
        let leaves = self.process.is_dead() && self.process.leaves.get() == E::LEFT_BY;
        let lingering = self.end.take().filter(|_| leaves).map(E::linger);
        self.process.lingering.borrow_mut().extend(lingering);
    }
}

impl<E: Lingers + Ready> Ready for End<E> {
    fn is_ready(&self) -> bool {
        self.end().is_ready()
    }
}

impl Source for End<script::ReadEnd> {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Read> {
        let most = self.process.transfer(buffer.len());
        let read = self.call()?.try_read(&mut buffer[..most])?;
        self.process.learns(match read {
            Read::Bytes(_) => Cause::Read,
            Read::Empty | Read::NoWriterYet => Cause::Quiet,
            Read::WritersGone => Cause::HungUp,
        });
        Ok(read)
    }

    fn has_hung_up(&self) -> bool {
        let hung_up = self.end().has_hung_up();
        if hung_up {
            self.process.learns(Cause::HungUp);
        }
        hung_up
    }

    fn standing(&self) -> io::Result<Standing> {
        self.process.system_call()?;
        Ok(self.process.stands(self.end().standing()?, Cause::NewIncoming))
    }

    fn renew(&mut self) -> Result<Standing> {
        let standing = self.call().map_err(|error| Error::system(error, Phase::Read))?.renew()?;
        Ok(self.process.stands(standing, Cause::NewIncoming))
    }
}

impl Sink for End<script::WriteEnd> {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<Write> {
        let most = self.process.transfer(bytes.len());
        let wrote = self.call()?.try_write(&bytes[..most])?;
        match wrote {
            Write::Bytes(_) => self.process.learns(Cause::Accepted),
            Write::NoReader => self.process.learns(Cause::Lost),
            Write::Full => {}
        }
        Ok(wrote)
    }

    fn standing(&self) -> io::Result<Standing> {
        self.process.system_call()?;
        Ok(self.process.stands(self.end().standing()?, Cause::Lost))
    }

    fn has_reader(&self) -> bool {
        let has_reader = self.end().has_reader();
        if !has_reader {
            self.process.learns(Cause::Lost);
        }
        has_reader
    }

    fn capacity(&self) -> Option<usize> {
        self.end().capacity()
    }
}

/// An end that may outlive its process.
pub(super) trait Lingers: std::fmt::Debug {
    const LEFT_BY: Leaves;

    fn linger(self) -> Lingering;
}

impl Lingers for script::ReadEnd {
    const LEFT_BY: Leaves = Leaves::Reader;

    fn linger(self) -> Lingering {
        Lingering::Reader(self)
    }
}

impl Lingers for script::WriteEnd {
    const LEFT_BY: Leaves = Leaves::Writer;

    fn linger(self) -> Lingering {
        Lingering::Writer(self)
    }
}
