//! FIFOs and their ends as the system gives them.

use std::path::Path;

use nix::sys::stat::Mode;

/// Makes a FIFO as `mkfifo` does.
pub(crate) fn make_fifo(path: &Path) {
    nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).expect("the path is free");
}
