//! What a server says when it is pinged.

use std::time::Duration;

use crate::core::wire;

/// A server's answer to a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pong {
    /// From the ping to its answer.
    pub round_trip: Duration,
    /// How much the server has to do; `None` where it does not say.
    pub server: Option<ServerLoad>,
}

/// How much a server has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLoad {
    /// Requests handed out in this life of the server.
    pub taken: u64,
    /// Those of them that are not answered.
    pub in_hand: u64,
    /// Requests that wait to be handed out.
    pub waiting: u64,
    /// Bytes of replies that wait to be written.
    pub queued_bytes: u64,
}

impl Pong {
    /// The answer to a ping without a payload.
    pub(crate) fn new(round_trip: Duration, body: &[u8]) -> Self {
        let load = wire::Load::from_bytes(body);
        let server = load.map(|wire::Load { taken, in_hand, waiting, queued_bytes }| ServerLoad {
            taken,
            in_hand,
            waiting,
            queued_bytes,
        });
        Self { round_trip, server }
    }
}
