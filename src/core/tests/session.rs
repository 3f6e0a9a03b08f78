//! What the tests of sessions have in common.

use super::*;
use crate::core::script::Server;
pub(super) use crate::core::script::Session;
use crate::core::server::Asked;
use crate::core::wire::{Kind, Scan, Scanner};

/// A session with room for everything.
pub(super) fn session() -> Session {
    Session::new(65_536, 1 << 20, ms(1000))
}

/// What [`echo`] answers to `message`.
pub(super) fn reply_to(message: &[u8]) -> Vec<u8> {
    [b"re: ", message].concat()
}

/// Answers a request with its own message.
pub(super) fn echo(server: &mut Server, asked: Asked) {
    let reply = reply_to(asked.message());
    server.reply_with(&asked, &reply);
}

/// Answers a request with `reply`.
pub(super) trait ReplyWith {
    fn reply_with(&mut self, asked: &Asked, reply: &[u8]);
}

impl ReplyWith for Server {
    fn reply_with(&mut self, asked: &Asked, reply: &[u8]) {
        // A reply that nobody wants any more is none.
        if let Ok(ticket) = self.reply(asked.caller, reply.to_vec()) {
            self.forget(ticket, asked.caller);
        }
    }
}

/// The kinds of the frames that `bytes` consists of.
pub(super) fn kinds_in(bytes: &[u8]) -> Vec<Kind> {
    let (mut bytes, mut kinds) = (bytes.to_vec(), Vec::new());
    let mut at = 0;
    while at < bytes.len() {
        match Scanner::default().scan(&mut bytes[at..]) {
            Scan::Frame { header, used, .. } => {
                kinds.push(header.kind);
                at += used;
            }
            other => panic!("not a frame: {other:?}"),
        }
    }
    kinds
}
