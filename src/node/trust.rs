//! Which FIFOs are opened: whose they are, who else may open them, under how many names.

use std::path::Path;

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::sys::{self, Facts};

/// What a FIFO must be like to be opened.
///
/// Whoever may write to a FIFO can inject messages, and whoever may read from it can steal them,
/// so the default is strict: owned by this user or by root, closed to others, one name.
///
/// ```
/// use fifowire::{Owner, Trust};
///
/// // A container that runs under another user id, in a group shared with the host.
/// let trust = Trust::default().owner(Owner::Uid(1000)).at_most(0o660);
/// # let _ = trust;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    owner: Owner,
    at_most: u32,
}

/// Whose FIFOs are opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owner {
    /// This process's effective user, or root: root could read and write it in any case.
    #[default]
    MeOrRoot,
    /// This user only.
    Uid(u32),
    /// Anybody: for directories that only trusted users can write to.
    Anyone,
}

impl Default for Trust {
    fn default() -> Self {
        Self { owner: Owner::default(), at_most: 0o660 }
    }
}

impl Trust {
    /// Whose FIFO it must be. Default: [`Owner::MeOrRoot`].
    pub fn owner(mut self, owner: Owner) -> Self {
        self.owner = owner;
        self
    }

    /// The permission bits the FIFO may have at most. Default: `0o660`, nothing for others.
    ///
    /// A FIFO that a shell made by `mkfifo` usually has `0o644`.
    pub fn at_most(mut self, mode: u32) -> Self {
        self.at_most = mode & 0o7777;
        self
    }

    /// Checks a file against the policy. One that is no FIFO never passes.
    pub(crate) fn check(&self, facts: &Facts, path: &Path) -> Result<()> {
        if !facts.is_fifo {
            return Err(Error::new(ErrorKind::NotAFifo, Phase::Open).at(path));
        }
        let complaint = if !self.allows_owner(facts.owner) {
            format!("it belongs to user {}", facts.owner)
        } else if facts.mode & !self.at_most != 0 {
            format!("its mode is {:04o}, allowed is {:04o}", facts.mode, self.at_most)
        } else if facts.links != 1 {
            format!("it has {} names, allowed is one", facts.links)
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Untrusted, Phase::Open).at(path).detailed(complaint))
    }

    fn allows_owner(&self, owner: u32) -> bool {
        match self.owner {
            Owner::MeOrRoot => owner == 0 || owner == sys::effective_uid(),
            Owner::Uid(uid) => owner == uid,
            Owner::Anyone => true,
        }
    }
}
