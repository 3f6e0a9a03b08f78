//! What the two sides of a session say to each other, apart from how it is written.

use crate::core::assembly::Key;

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Request,
    Reply,
    /// The call failed at the server.
    Failure,
    /// The caller no longer wants the reply.
    Cancel,
    /// Nothing more of the cancelled call will come.
    Cancelled,
    Ping,
    Pong,
    /// The sender leaves on purpose.
    Goodbye,
    /// One of the many messages of a stream.
    Item,
    /// No more items will come.
    End,
    /// There is room for so many more bytes of items.
    Credit,
}

impl Verb {
    /// Whether either side may say it.
    fn is_of_both(self) -> bool {
        matches!(self, Self::Goodbye | Self::Item | Self::End | Self::Credit)
    }

    /// Whether a server may say it.
    pub(crate) fn is_of_a_server(self) -> bool {
        matches!(self, Self::Reply | Self::Failure | Self::Cancelled | Self::Pong)
            || self.is_of_both()
    }

    /// Whether a client may say it.
    pub(crate) fn is_of_a_client(self) -> bool {
        matches!(self, Self::Request | Self::Cancel | Self::Ping) || self.is_of_both()
    }

    /// Control goes ahead of data at the next frame boundary.
    pub(crate) fn is_control(self) -> bool {
        !matches!(self, Self::Request | Self::Reply | Self::Failure | Self::Item | Self::End)
    }
}

/// The lives of the two endpoints that talk, as one of them knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lives {
    pub(crate) ours: u64,
    /// Zero while unknown.
    pub(crate) peer: u64,
}

/// One thing said by one endpoint to another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) verb: Verb,
    /// The life of the endpoint that says it; zero while it is still to be said, because it is the
    /// life that frames it that does.
    pub(crate) from: u64,
    /// The life it is said to; zero for whoever listens.
    pub(crate) to: u64,
    /// The call it is about.
    pub(crate) id: u64,
    pub(crate) body: Vec<u8>,
}

impl Event {
    /// Something to be said.
    pub(crate) fn to(to: u64, verb: Verb, id: u64, body: Vec<u8>) -> Self {
        Self { verb, from: 0, to, id, body }
    }

    /// Names a call at its server, or a message in the making.
    pub(crate) fn key(&self) -> Key {
        (self.from, self.id)
    }
}
