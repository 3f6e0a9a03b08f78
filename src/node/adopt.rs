//! Descriptors that somebody else has opened: verified, and made to be as ours are.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use super::held::Held;
use super::{ReadEnd, WriteEnd};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::sys::{self, Access};

impl<H: Held> ReadEnd<H> {
    /// Takes over a descriptor, if it is a pipe's and open for reading alone.
    pub(crate) fn adopt(fd: OwnedFd) -> Result<Self> {
        Ok(Self::new(None, adopt(fd, Access::Read)?))
    }
}

impl<H: Held> WriteEnd<H> {
    /// Takes over a descriptor, if it is a pipe's and open for writing alone.
    pub(crate) fn adopt(fd: OwnedFd) -> Result<Self> {
        Ok(Self::new(None, adopt(fd, Access::Write)?))
    }
}

fn adopt<H: Held>(fd: OwnedFd, wanted: Access) -> Result<H> {
    let name = name_of(&fd);
    verify_and_hold(fd, wanted).map_err(|error| error.at(&name))
}

fn verify_and_hold<H: Held>(fd: OwnedFd, wanted: Access) -> Result<H> {
    let failed = |error| Error::system(error, Phase::Open);
    if !sys::facts_of(&fd).map_err(failed)?.is_fifo {
        return Err(Error::new(ErrorKind::NotAFifo, Phase::Open));
    }
    // A descriptor for both directions is refused too: it is its own peer, and would hide the
    // departure of the other one. So is one for neither.
    if sys::access_of(fd.as_fd()).map_err(failed)? != wanted {
        return Err(Error::new(ErrorKind::WrongEnd, Phase::Open));
    }
    // Held before its flags are changed, because others may share them: one that is refused is left
    // as it was. Nothing tries it in between.
    let held = H::hold(fd).map_err(failed)?;
    sys::make_ours(held.as_fd()).map_err(failed)?;
    Ok(held)
}

/// What errors name, where a descriptor came without a path.
pub(crate) fn name_of(fd: &OwnedFd) -> PathBuf {
    sys::name_of(fd).unwrap_or_else(|| PathBuf::from("a descriptor"))
}
