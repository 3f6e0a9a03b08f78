//! The peer on async-io: the loop of `by_hand`, awaited.

use std::fs::File;

use async_io::Async;
use smol::io::{AsyncReadExt, AsyncWriteExt};

use super::by_hand::{Unread, framed};
use super::exchange::Connection;
use super::packet::Packet;

/// Two FIFOs in async-io's keeping.
pub(crate) struct Files {
    inbound: Async<File>,
    outbound: Async<File>,
    unread: Unread,
    buffer: [u8; 4096],
}

impl Files {
    /// async-io reads before it waits, and a FIFO whose writer is still to come answers that with
    /// an end: so both ends come from an `open` that has waited for the other side.
    pub(crate) fn new(inbound: File, outbound: File) -> Self {
        let keep = |file| Async::new(file).expect("a FIFO can be waited for");
        let (inbound, outbound) = (keep(inbound), keep(outbound));
        Self { inbound, outbound, unread: Unread::new(), buffer: [0; 4096] }
    }
}

impl Connection for Files {
    async fn send(&mut self, packet: &Packet) {
        let message = framed(packet, &mut self.buffer);
        self.outbound.write_all(message).await.expect("the other side is there");
    }

    async fn recv(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.unread.take() {
                return Some(packet);
            }
            match self.inbound.read(self.unread.room()).await.expect("it is readable") {
                0 => return None,
                count => self.unread.add(count),
            }
        }
    }
}
