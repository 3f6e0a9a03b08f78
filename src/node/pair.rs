//! Two FIFOs that carry requests one way and replies the other.

use std::path::{Path, PathBuf};

use super::{Fifo, FifoOptions};
use crate::error::{Error, ErrorKind, Phase, Result};

/// A pair of FIFOs in one directory, named from the server's point of view: `NAME.in.fifo` flows
/// into the server, `NAME.out.fifo` out of it.
///
/// The side that creates the pair removes it when its value is dropped; what it adopted stays
/// ([`create_or_open`](Self::create_or_open)). The other side names the pair with [`Pair::at`].
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// use fifowire::Pair;
///
/// let pair = Pair::create(directory.path(), "agent")?;
/// assert_eq!(pair.input(), directory.path().join("agent.in.fifo"));
/// assert!(Pair::at(directory.path(), "../agent").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pair {
    input: PathBuf,
    output: PathBuf,
    /// What keeps the FIFOs, where this side made them.
    _owned: Option<(Fifo, Fifo)>,
}

impl Pair {
    /// Creates both FIFOs with mode `0600`, where nothing may stand yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidName`] for a name that is not a plain file name, with the name in
    /// [`Error::detail`], and those of [`Fifo::create`].
    pub fn create(directory: impl AsRef<Path>, name: &str) -> Result<Self> {
        Self::create_with(directory, name, Fifo::options())
    }

    /// Creates both FIFOs with these options.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_with(
        directory: impl AsRef<Path>,
        name: &str,
        options: FifoOptions,
    ) -> Result<Self> {
        Self::made_by(directory.as_ref(), name, |path| options.create(path))
    }

    /// Creates both FIFOs, or adopts those that a killed server has left behind: a process that
    /// ends by a signal, Ctrl-C for one, removes nothing.
    ///
    /// Each FIFO goes by itself: one that was created here is removed when the pair is dropped,
    /// one that was adopted keeps its mode and stays, because the server that made it may be there
    /// after all. Where it is, [`Server::open`](crate::Server::open) says
    /// [`ErrorKind::Busy`].
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use fifowire::{Fifo, FifoOptions, Pair};
    ///
    /// // What a killed server leaves behind ...
    /// drop(Pair::create_with(directory.path(), "agent", Fifo::options().keep(true))?);
    /// // ... is in the way of `create`, and is adopted here.
    /// assert!(Pair::create(directory.path(), "agent").is_err());
    /// let pair = Pair::create_or_open(directory.path(), "agent", FifoOptions::default())?;
    /// let input = pair.input().to_path_buf();
    /// drop(pair);
    /// assert!(input.exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`create`](Self::create), and those of [`Fifo::open`] for what is adopted.
    pub fn create_or_open(
        directory: impl AsRef<Path>,
        name: &str,
        options: FifoOptions,
    ) -> Result<Self> {
        Self::made_by(directory.as_ref(), name, |path| options.create_or_open(path))
    }

    /// Names the pair that the other side has created or will create. Nothing is opened.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidName`], with the name in [`Error::detail`].
    pub fn at(directory: impl AsRef<Path>, name: &str) -> Result<Self> {
        let (input, output) = paths(directory.as_ref(), name)?;
        Ok(Self { input, output, _owned: None })
    }

    /// The FIFO that flows into the server.
    pub fn input(&self) -> &Path {
        &self.input
    }

    /// The FIFO that flows out of the server.
    pub fn output(&self) -> &Path {
        &self.output
    }

    fn made_by(directory: &Path, name: &str, make: impl Fn(&Path) -> Result<Fifo>) -> Result<Self> {
        let (input, output) = paths(directory, name)?;
        // The output first: a client that finds the input finds the whole pair.
        let second = make(&output)?;
        let first = make(&input)?;
        Ok(Self { input, output, _owned: Some((first, second)) })
    }
}

fn paths(directory: &Path, name: &str) -> Result<(PathBuf, PathBuf)> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !plain || name.is_empty() || name.starts_with('.') || name.len() > MAX_NAME {
        // In quotes, so that an empty name is seen too.
        return Err(Error::new(ErrorKind::InvalidName, Phase::Create).detailed(format!("{name:?}")));
    }
    let path = |direction| directory.join(format!("{name}.{direction}.fifo"));
    Ok((path("in"), path("out")))
}

/// File names have 255 bytes; `.out.fifo` takes nine.
const MAX_NAME: usize = 246;
