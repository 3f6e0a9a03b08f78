//! Who exchanges packets, by what means and on which executor.

use super::shared::executor::Executor::{self, AsyncIo, CurrentThread, MultiThread};

/// One side of a comparison; client and server are of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) means: Means,
    pub(crate) executor: Executor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// Our client and server.
    Ours,
    /// The same, looking again for this long before they let the executor sleep.
    Spinning,
    /// Two FIFOs as tokio has them.
    Pipes,
    /// One Unix stream socket of tokio's.
    Socket,
    /// Two FIFOs as files in async-io's keeping.
    Files,
}

pub(crate) const OURS_CURRENT: Side = Side { means: Means::Ours, executor: CurrentThread };
pub(crate) const OURS_SPINNING: Side = Side { means: Means::Spinning, executor: CurrentThread };
pub(crate) const OURS_MULTI: Side = Side { means: Means::Ours, executor: MultiThread };
pub(crate) const OURS_ASYNC_IO: Side = Side { means: Means::Ours, executor: AsyncIo };
pub(crate) const PIPES_CURRENT: Side = Side { means: Means::Pipes, executor: CurrentThread };
pub(crate) const PIPES_MULTI: Side = Side { means: Means::Pipes, executor: MultiThread };
pub(crate) const SOCKET_CURRENT: Side = Side { means: Means::Socket, executor: CurrentThread };
pub(crate) const FILES_ASYNC_IO: Side = Side { means: Means::Files, executor: AsyncIo };

impl Side {
    const ALL: [(Self, &'static str); 8] = [
        (OURS_CURRENT, "ours-current-thread"),
        (OURS_SPINNING, "ours-spinning"),
        (OURS_MULTI, "ours-multi-thread"),
        (OURS_ASYNC_IO, "ours-async-io"),
        (PIPES_CURRENT, "pipes-current-thread"),
        (PIPES_MULTI, "pipes-multi-thread"),
        (SOCKET_CURRENT, "socket-current-thread"),
        (FILES_ASYNC_IO, "files-async-io"),
    ];

    pub(crate) fn to_argument(self) -> &'static str {
        Self::ALL.iter().find(|(side, _)| *side == self).map_or("", |(_, argument)| argument)
    }

    pub(crate) fn from_argument(argument: &str) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == argument).expect("a side that is known").0
    }
}
