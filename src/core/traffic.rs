//! Messages that went one way, counted.

use super::event::{Event, Verb};
use super::wire::Head;

/// How many messages went one way, and their bytes. Control is none, and neither is the end of a
/// stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Traffic {
    /// One more event has gone this way.
    pub(crate) fn count(&mut self, event: &Event) {
        let ahead = match event.verb {
            Verb::Request => Head::len_of(&event.body),
            Verb::Reply | Verb::Failure | Verb::Item => 0,
            _ => return,
        };
        self.messages += 1;
        self.bytes += event.body.len().saturating_sub(ahead) as u64;
    }
}
