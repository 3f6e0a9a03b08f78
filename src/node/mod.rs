//! FIFOs in the file system: created, trusted, opened, paired.
//!
//! What must never happen here: a path that is not a FIFO is opened, a link is followed, a file is
//! made by opening, another file is replaced or removed.

mod adopt;
mod end;
mod fifo;
mod held;
mod opener;
mod pair;
mod trust;

pub(crate) use adopt::name_of;
pub(crate) use end::{ReadEnd, WriteEnd};
pub use fifo::{Fifo, FifoOptions};
#[cfg(any(feature = "tokio", feature = "async-io"))]
pub(crate) use held::Attempted;
pub(crate) use held::Held;
pub(crate) use opener::{ReadOpener, WriteOpener};
pub use pair::Pair;
pub use trust::{Owner, Trust};
