//! FIFOs as files: what stands at a path, making one, opening its ends.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, lstat};

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

/// What the file system says of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) identity: Identity,
    pub(crate) is_fifo: bool,
    pub(crate) owner: u32,
    pub(crate) links: u64,
    /// The twelve permission bits.
    pub(crate) mode: u32,
}

impl From<FileStat> for Facts {
    // The widths of these fields differ between platforms.
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
    fn from(stat: FileStat) -> Self {
        let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
        Self {
            identity: Identity { device: stat.st_dev as u64, inode: stat.st_ino as u64 },
            is_fifo: kind == SFlag::S_IFIFO,
            owner: stat.st_uid,
            links: stat.st_nlink as u64,
            mode: u32::from(stat.st_mode & 0o7777),
        }
    }
}

/// What stands at `path`, the link itself where it is one.
pub(crate) fn facts_at(path: &Path) -> io::Result<Facts> {
    Ok(lstat(path)?.into())
}

/// What a descriptor is of.
pub(crate) fn facts_of(fd: impl AsFd) -> io::Result<Facts> {
    Ok(fstat(fd)?.into())
}

/// Opens a FIFO for reading. It succeeds at once, with or without a writer.
pub(crate) fn open_reader(path: &Path) -> io::Result<OwnedFd> {
    open_end(path, OFlag::O_RDONLY | OFlag::O_NOFOLLOW)
}

/// Opens a FIFO for writing; `ENXIO` where nobody reads it.
pub(crate) fn open_writer(path: &Path) -> io::Result<OwnedFd> {
    open_end(path, OFlag::O_WRONLY | OFlag::O_NOFOLLOW)
}

/// Opens the FIFO that `fd` is of once more for reading, whatever its path names by now.
///
/// The kernel's own link in `/proc` leads to the inode; where `/proc` is not mounted this fails,
/// and the caller goes by the path.
pub(crate) fn reopen_reader(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    open_end(Path::new(&link), OFlag::O_RDONLY)
}

/// Holds on to a file without opening it: its inode number is not given to another meanwhile.
///
/// `O_NONBLOCK` means nothing here; it stands so that no `open` of a FIFO is without it.
#[cfg(target_os = "linux")]
pub(crate) fn pin(path: &Path) -> io::Result<OwnedFd> {
    open_end(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)
}

/// Without `O_PATH` a reading end holds the inode as well.
#[cfg(not(target_os = "linux"))]
pub(crate) fn pin(path: &Path) -> io::Result<OwnedFd> {
    open_reader(path)
}

fn open_end(path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
    let always = OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    loop {
        match open(path, flags | always, Mode::empty()) {
            Err(Errno::EINTR) => {}
            opened => return Ok(opened?),
        }
    }
}

/// Whether opening for writing failed because nobody reads.
pub(crate) fn is_no_reader(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ENXIO as i32)
}

/// Whether opening failed because a symbolic link stands there, which is never followed.
pub(crate) fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ELOOP as i32)
}

/// Makes a FIFO with exactly `mode` at a path that must not exist, and pins it.
///
/// `mkfifo` subtracts the umask, and a default ACL of the directory overrides both, so it is made
/// with no permission at all and given the mode afterwards, through the pinned inode: whoever may
/// write to the directory cannot slip another file in between.
pub(crate) fn make_fifo(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    nix::unistd::mkfifo(path, Mode::empty())?;
    let made = (|| {
        let pinned = pin(path)?;
        if !facts_of(&pinned)?.is_fifo {
            return Err(io::Error::other("the new FIFO was replaced while it was made"));
        }
        drop_acl(&pinned, path)?;
        set_mode(&pinned, path, mode)?;
        Ok(pinned)
    })();
    if made.is_err() {
        let _ = fs::remove_file(path);
    }
    made
}

fn set_mode(pinned: &OwnedFd, path: &Path, mode: u32) -> io::Result<()> {
    let permissions = || fs::Permissions::from_mode(mode);
    // `fchmod` on an `O_PATH` descriptor is EBADF; its link in /proc does what `fchmod` would.
    fs::set_permissions(proc_link(pinned), permissions())
        .or_else(|_| fs::set_permissions(path, permissions()))?;
    match facts_of(pinned)?.mode {
        set if set == mode => Ok(()),
        _ => Err(io::Error::other("the file system did not take the mode")),
    }
}

/// Removes an access list that the directory's default put on the FIFO.
#[cfg(target_os = "linux")]
fn drop_acl(pinned: &OwnedFd, path: &Path) -> io::Result<()> {
    use rustix::fs::{lremovexattr, removexattr};
    use rustix::io::Errno as E;

    const ACCESS_LIST: &str = "system.posix_acl_access";
    match removexattr(proc_link(pinned), ACCESS_LIST).or_else(|error| {
        if error == E::NOENT { lremovexattr(path, ACCESS_LIST) } else { Err(error) }
    }) {
        // The usual answers: there is none, or the file system knows none.
        Ok(()) | Err(E::NODATA | E::NOTSUP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn drop_acl(_pinned: &OwnedFd, _path: &Path) -> io::Result<()> {
    Ok(())
}

fn proc_link(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Removes the file at `path` if it is this one.
///
/// There is no call that compares and removes in one, so a file put there in the instant between
/// would be removed in its place. The same holds for every program that cleans up after itself.
pub(crate) fn remove_if_same(path: &Path, identity: Identity) {
    let same = fs::symlink_metadata(path).is_ok_and(|found| {
        found.file_type().is_fifo()
            && Identity { device: found.dev(), inode: found.ino() } == identity
    });
    if same {
        let _ = fs::remove_file(path);
    }
}
