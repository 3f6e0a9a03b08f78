//! One FIFO in the file system.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::Trust;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::sys::{self, Identity};

/// A FIFO that exists, pinned: its inode is not given to another file while this value lives.
///
/// A FIFO that was created is removed on drop, unless its path names another file by then; one
/// that was opened or adopted stays.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("events.fifo");
/// use fifowire::Fifo;
///
/// let fifo = Fifo::create(&path)?;
/// assert!(path.exists());
/// drop(fifo);
/// assert!(!path.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Fifo {
    path: PathBuf,
    identity: Identity,
    trust: Trust,
    remove: bool,
    /// Holds the inode; never read from or written to.
    _pin: OwnedFd,
}

/// How a FIFO is created or opened. By default it gets the mode `0600`, is trusted by
/// [`Trust::default`], and is removed on drop where this side created it.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("events.fifo");
/// use fifowire::FifoOptions;
///
/// // For a group, and there to stay when this process ends.
/// let fifo = FifoOptions::default().mode(0o660).keep(true).create(&path)?;
/// drop(fifo);
/// assert!(path.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FifoOptions {
    mode: u32,
    trust: Trust,
    keep: bool,
}

impl Default for FifoOptions {
    fn default() -> Self {
        Self { mode: 0o600, trust: Trust::default(), keep: false }
    }
}

impl Fifo {
    /// Creates a FIFO with mode `0600` at `path`, where nothing may stand yet.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] where something stands at the path; it is left untouched.
    /// [`ErrorKind::NotFound`] where the directory is missing, [`ErrorKind::Permission`] where
    /// this user may not write to it.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().create(path)
    }

    /// Verifies the FIFO at `path` and pins it, without opening it for reading or writing.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NotAFifo`] (also for a symbolic link), or
    /// [`ErrorKind::Untrusted`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// Options: mode, trust, whether it stays. The same as [`FifoOptions::default`].
    pub fn options() -> FifoOptions {
        FifoOptions::default()
    }

    /// Where it stands.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The policy it was created or opened under; endpoints opened by its path have their own.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// Leaves the FIFO in the file system when this value is dropped.
    pub fn keep(mut self) -> Self {
        self.remove = false;
        self
    }
}

impl FifoOptions {
    /// The permission bits, exactly: no umask and no default access list changes them. Default:
    /// `0o600`.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode & 0o777;
        self
    }

    /// What an existing FIFO must be like. Default: [`Trust::default`].
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Whether a created FIFO stays when the value is dropped. Default: no.
    pub fn keep(mut self, keep: bool) -> Self {
        self.keep = keep;
        self
    }

    /// Creates a FIFO at `path`, where nothing may stand yet.
    ///
    /// It is made under a temporary name in the same directory, given its mode, and renamed into
    /// place by a rename that never replaces: no peer ever sees it half made.
    ///
    /// # Errors
    /// As [`Fifo::create`].
    pub fn create(&self, path: impl AsRef<Path>) -> Result<Fifo> {
        let path = path.as_ref();
        let failed = |error: io::Error| Error::system(error, Phase::Create).at(path);
        let made = tempfile::Builder::new()
            .prefix(".fifowire-")
            .make_in(directory_of(path), |temporary| sys::make_fifo(temporary, self.mode))
            .map_err(failed)?;
        let pin = made.persist_noclobber(path).map_err(|error| failed(error.error))?;
        let identity = sys::facts_of(&pin).map_err(failed)?.identity;
        Ok(Fifo {
            path: path.to_path_buf(),
            identity,
            trust: self.trust,
            remove: !self.keep,
            _pin: pin,
        })
    }

    /// Verifies the FIFO at `path` and pins it.
    ///
    /// # Errors
    /// As [`Fifo::open`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Fifo> {
        let path = path.as_ref();
        let failed = |error: io::Error| Error::system(error, Phase::Open).at(path);
        // Its type is known before anything is opened: opening a device can have effects.
        self.trust.check(&sys::facts_at(path).map_err(failed)?, path)?;
        let pin = sys::pin(path).map_err(failed)?;
        let facts = sys::facts_of(&pin).map_err(failed)?;
        self.trust.check(&facts, path)?;
        Ok(Fifo {
            path: path.to_path_buf(),
            identity: facts.identity,
            trust: self.trust,
            remove: false,
            _pin: pin,
        })
    }

    /// Creates the FIFO, or adopts the one that a process which was killed has left behind.
    ///
    /// One that is adopted keeps its mode, and stays when the value is dropped, whatever
    /// [`keep`](Self::keep) says: the process that made it may be there after all.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("events.fifo");
    /// use fifowire::Fifo;
    ///
    /// let made = Fifo::options().create_or_open(&path)?;
    /// let adopted = Fifo::options().create_or_open(&path)?;
    /// drop(adopted);
    /// assert!(path.exists());
    /// drop(made);
    /// assert!(!path.exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`create`](Self::create) and [`open`](Self::open), but never
    /// [`ErrorKind::AlreadyExists`].
    pub fn create_or_open(&self, path: impl AsRef<Path>) -> Result<Fifo> {
        let path = path.as_ref();
        // Two processes may do this at once, and one of them remove what it made in between.
        for _ in 0..CREATE_OR_OPEN_TRIES {
            match self.create(path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                created => return created,
            }
            match self.open(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                opened => return opened,
            }
        }
        self.open(path)
    }
}

/// More than two processes that create and remove the same FIFO at once are not ours to mend.
const CREATE_OR_OPEN_TRIES: usize = 4;

impl Drop for Fifo {
    fn drop(&mut self) {
        if self.remove {
            sys::remove_if_same(&self.path, self.identity);
        }
    }
}

impl fmt::Debug for Fifo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fifo").field("path", &self.path).finish_non_exhaustive()
    }
}

pub(super) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
